// Operations, quotas, reservations and loans over real gRPC, as their owners, others and administrators see them.
#include <gmock/gmock.h>

#include "controller/api/api_fixture.h"

namespace homeslice::controller {
namespace {

using ::testing::HasSubstr;
using testing_support::ApiTest;
using Stub = v1::ControllerService::Stub;

class OperationsApiTest : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        alice_ = userCredentials("alice");
        bob_ = userCredentials("bob");
        addNode("node1");
        v1::Image image;
        ASSERT_TRUE(import("busybox", "archive", &image).ok());
    }

    template <typename Request, typename Response>
    grpc::Status callAs(const tls::Credentials& credentials,
                        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                        const Request& request, Response* response) {
        const auto stub = v1::ControllerService::NewStub(channelAs(credentials));
        grpc::ClientContext context;
        return (stub.get()->*method)(&context, request, response);
    }
    v1::CreateSliceRequest slice(const std::string& name) {
        v1::CreateSliceRequest request;
        request.set_name(name);
        request.mutable_base()->set_image("busybox");
        request.add_nodes("node1");
        return request;
    }
    std::vector<v1::Operation> operationsOf(const tls::Credentials& credentials, const std::string& subject = "") {
        v1::ListOperationsRequest request;
        request.set_subject(subject);
        v1::ListOperationsResponse response;
        const grpc::Status listed = callAs(credentials, &Stub::ListOperations, request, &response);
        EXPECT_TRUE(listed.ok()) << listed.error_message();
        return {response.operations().begin(), response.operations().end()};
    }

    std::shared_ptr<tls::Credentials> alice_;
    std::shared_ptr<tls::Credentials> bob_;
};

TEST_F(OperationsApiTest, OnesOwnOperationsAreSeenAndCancelled) {
    v1::Operation operation;
    ASSERT_TRUE(callAs(*alice_, &Stub::CreateSlice, slice("web"), &operation).ok());
    waitFor(operation.id());
    ASSERT_EQ(operationsOf(*alice_, "web").size(), 1U);
    EXPECT_EQ(operationsOf(*alice_).size(), 1U) << "the import is an administrator's";
    EXPECT_TRUE(operationsOf(*bob_).empty());
    v1::GetOperationRequest get;
    get.set_id(operation.id());
    v1::Operation got;
    EXPECT_TRUE(callAs(*alice_, &Stub::GetOperation, get, &got).ok());
    EXPECT_EQ(got.kind(), "create slice");
    EXPECT_EQ(callAs(*bob_, &Stub::GetOperation, get, &got).error_code(), grpc::StatusCode::PERMISSION_DENIED);
    v1::CancelOperationRequest cancel;
    cancel.set_id(operation.id());
    EXPECT_EQ(callAs(*bob_, &Stub::CancelOperation, cancel, &got).error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(callAs(*alice_, &Stub::CancelOperation, cancel, &got).error_code(),
              grpc::StatusCode::FAILED_PRECONDITION);
    cancel.set_id(std::string(100'000, 'x'));
    EXPECT_EQ(callAs(*alice_, &Stub::CancelOperation, cancel, &got).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(OperationsApiTest, AnImportWhoseClientHasGoneSilentIsEndedFromBeside) {
    grpc::ClientContext context;
    v1::Image image;
    const auto writer = stub_->ImportImage(&context, &image);
    v1::ImportImageRequest request;
    request.mutable_header()->set_name("debian");
    ASSERT_TRUE(writer->Write(request));
    request.mutable_chunk()->set_data(std::string(1000, 'x'));
    ASSERT_TRUE(writer->Write(request));

    v1::ListOperationsRequest list;
    list.set_subject("debian");
    list.set_running(true);
    v1::ListOperationsResponse running;
    while (running.operations_size() == 0) ASSERT_TRUE(call(&Stub::ListOperations, list, &running).ok());
    EXPECT_EQ(running.operations(0).kind(), "import image");
    v1::CancelOperationRequest cancel;
    cancel.set_id(running.operations(0).id());
    v1::Operation operation;
    EXPECT_EQ(callAs(*alice_, &Stub::CancelOperation, cancel, &operation).error_message(),
              "user 'alice' lacks the right 'manage images', which administrators have");
    ASSERT_TRUE(call(&Stub::CancelOperation, cancel, &operation).ok());
    EXPECT_EQ(operation.state(), v1::OPERATION_STATE_CANCELLED);
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
    v1::ListImagesResponse images;
    ASSERT_TRUE(call(&Stub::ListImages, v1::ListImagesRequest(), &images).ok());
    EXPECT_EQ(images.images_size(), 1);
}

TEST_F(OperationsApiTest, AQuotaIsSetByAdministratorsAndSeenByItsUser) {
    v1::SetUserQuotaRequest set;
    set.set_name("alice");
    set.mutable_quota()->set_slivers(0);
    v1::User user;
    EXPECT_EQ(callAs(*alice_, &Stub::SetUserQuota, set, &user).error_code(), grpc::StatusCode::PERMISSION_DENIED);
    ASSERT_TRUE(call(&Stub::SetUserQuota, set, &user).ok());
    v1::User seen;
    ASSERT_TRUE(callAs(*alice_, &Stub::GetUser, v1::GetUserRequest(), &seen).ok());
    EXPECT_EQ(seen.name(), "alice");
    EXPECT_TRUE(seen.quota().has_slivers());
    EXPECT_FALSE(seen.quota().has_memory_bytes());
    v1::SlicePlan plan;
    EXPECT_EQ(callAs(*alice_, &Stub::PlanSlice, slice("web"), &plan).error_code(),
              grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_TRUE(callAs(*bob_, &Stub::PlanSlice, slice("web"), &plan).ok());
    set.clear_quota();
    set.add_unlimited("nonsense");
    EXPECT_EQ(call(&Stub::SetUserQuota, set, &user).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(OperationsApiTest, ReservationsAreMadeByAdministratorsForUsers) {
    v1::CreateReservationRequest request;
    request.set_name("nightly");
    request.set_owner("alice");
    request.set_cpu_millis(500);
    request.add_nodes("node1");
    v1::Reservation reservation;
    EXPECT_EQ(callAs(*alice_, &Stub::CreateReservation, request, &reservation).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(call(&Stub::CreateReservation, request, &reservation).error_code(), grpc::StatusCode::INVALID_ARGUMENT)
        << "for how long?";
    request.set_duration_s(3600);
    request.add_where("no label");
    EXPECT_EQ(call(&Stub::CreateReservation, request, &reservation).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    request.clear_where();
    const grpc::Status full = call(&Stub::CreateReservation, request, &reservation);
    EXPECT_EQ(full.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(full.error_message(), HasSubstr("node 'node1' has 0m CPU")) << "as it said in its hello";
    v1::ListReservationsResponse list;
    ASSERT_TRUE(callAs(*bob_, &Stub::ListReservations, v1::ListReservationsRequest(), &list).ok());
    EXPECT_EQ(list.reservations_size(), 0);
    v1::RemoveReservationRequest removal;
    removal.set_name("nightly");
    v1::RemoveReservationResponse removed;
    EXPECT_EQ(call(&Stub::RemoveReservation, removal, &removed).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(OperationsApiTest, OnlyItsOwnerLendsASlicesGuarantee) {
    v1::Operation operation;
    ASSERT_TRUE(callAs(*alice_, &Stub::CreateSlice, slice("web"), &operation).ok());
    ASSERT_TRUE(callAs(*bob_, &Stub::CreateSlice, slice("batch"), &operation).ok());
    v1::LendGuaranteeRequest lend;
    lend.set_name("web");
    lend.set_borrower("batch");
    lend.set_cpu_millis(100);
    lend.set_duration_s(60);
    v1::Loan loan;
    EXPECT_EQ(callAs(*bob_, &Stub::LendGuarantee, lend, &loan).error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_THAT(callAs(*alice_, &Stub::LendGuarantee, lend, &loan).error_message(), HasSubstr("it has 0m left"));
    v1::EndLoanRequest end;
    end.set_name("batch");
    end.set_lender("web");
    v1::EndLoanResponse ended;
    EXPECT_EQ(callAs(*alice_, &Stub::EndLoan, end, &ended).error_code(), grpc::StatusCode::PERMISSION_DENIED)
        << "what is lent is lent";
    EXPECT_EQ(callAs(*bob_, &Stub::EndLoan, end, &ended).error_code(), grpc::StatusCode::NOT_FOUND);
    v1::ListLoansResponse loans;
    ASSERT_TRUE(callAs(*bob_, &Stub::ListLoans, v1::ListLoansRequest(), &loans).ok());
    EXPECT_EQ(loans.loans_size(), 0);
}

TEST_F(OperationsApiTest, ARebalancingIsAnAdministrators) {
    v1::RebalancePlan plan;
    EXPECT_EQ(callAs(*alice_, &Stub::PlanRebalance, v1::RebalanceNodesRequest(), &plan).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
    ASSERT_TRUE(call(&Stub::PlanRebalance, v1::RebalanceNodesRequest(), &plan).ok());
    EXPECT_EQ(plan.steps_size(), 0);
    v1::Operation operation;
    ASSERT_TRUE(call(&Stub::RebalanceNodes, v1::RebalanceNodesRequest(), &operation).ok());
    EXPECT_EQ(waitFor(operation.id()).state(), v1::OPERATION_STATE_DONE);
    v1::RebalanceNodesRequest long_id;
    long_id.set_request_id(std::string(1000, 'x'));
    EXPECT_EQ(call(&Stub::RebalanceNodes, long_id, &operation).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(OperationsApiTest, WhatHappensWhenANodeIsLostIsSaidAndChanged) {
    v1::CreateSliceRequest request = slice("web");
    request.mutable_rules()->set_on_node_loss(v1::ON_NODE_LOSS_STAY);
    v1::Operation operation;
    ASSERT_TRUE(callAs(*alice_, &Stub::CreateSlice, request, &operation).ok());
    v1::GetSliceRequest get;
    get.set_name("web");
    v1::Slice made;
    ASSERT_TRUE(callAs(*alice_, &Stub::GetSlice, get, &made).ok());
    EXPECT_EQ(made.rules().on_node_loss(), v1::ON_NODE_LOSS_STAY);
    v1::SetSliceRequest set;
    set.set_name("web");
    set.set_on_node_loss(v1::ON_NODE_LOSS_REPLACE);
    ASSERT_TRUE(callAs(*alice_, &Stub::SetSlice, set, &operation).ok());
    ASSERT_TRUE(callAs(*alice_, &Stub::GetSlice, get, &made).ok());
    EXPECT_EQ(made.rules().on_node_loss(), v1::ON_NODE_LOSS_REPLACE);
    set.set_on_node_loss(static_cast<v1::OnNodeLoss>(77));
    EXPECT_EQ(callAs(*alice_, &Stub::SetSlice, set, &operation).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace homeslice::controller
