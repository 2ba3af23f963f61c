// Every method that changes something is in the audit log, over real gRPC: done, refused, failed. A method that is new
// has to be added here, or the test fails.
#include <gmock/gmock.h>

#include <set>

#include "controller/api/api_fixture.h"
#include "controller/auth/rights.h"

namespace homeslice::controller {
namespace {

using ::testing::HasSubstr;
using testing_support::ApiTest;
using Stub = v1::ControllerService::Stub;

const std::string kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJv carol@example";

template <typename Request>
Request named(const std::string& name) {
    Request request;
    request.set_name(name);
    return request;
}

class AuditTest : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        for (const std::string node : {"node1", "node2", "node3"}) addNode(node, false, 4);
        heard_ = audit().size();
    }

    std::vector<v1::AuditEntry> audit() {
        v1::ListAuditResponse response;
        EXPECT_TRUE(call(&Stub::ListAudit, v1::ListAuditRequest(), &response).ok());
        return {response.entries().begin(), response.entries().end()};
    }
    // The entries since the last time.
    std::vector<v1::AuditEntry> news() {
        std::vector<v1::AuditEntry> log = audit();
        log.erase(log.begin(), log.begin() + static_cast<ptrdiff_t>(heard_));
        heard_ += log.size();
        return log;
    }
    // One entry, of the administrator's; with the outcome where it is not "ok".
    void expectRecorded(const std::string& method, const std::string& subject, const std::string& outcome = "ok") {
        SCOPED_TRACE(method);
        const std::vector<v1::AuditEntry> entries = news();
        ASSERT_EQ(entries.size(), 1U);
        EXPECT_EQ(entries[0].who(), "admin");
        EXPECT_EQ(entries[0].what(), method);
        EXPECT_EQ(entries[0].subject(), subject);
        EXPECT_THAT(entries[0].outcome(), HasSubstr(outcome));
        EXPECT_GT(entries[0].time_us(), 0);
        if (outcome == "ok") recorded_.insert(method);
    }
    template <typename Request, typename Response>
    Response change(const std::string& method,
                    grpc::Status (Stub::*stub)(grpc::ClientContext*, const Request&, Response*), const Request& request,
                    const std::string& subject) {
        Response response;
        const grpc::Status status = call(stub, request, &response);
        EXPECT_TRUE(status.ok()) << method << ": " << status.error_message();
        if constexpr (std::is_same_v<Response, v1::Operation>) waitFor(response.id());
        expectRecorded(method, subject);
        return response;
    }

    void people() {
        change("AddUser", &Stub::AddUser, named<v1::AddUserRequest>("carol"), "carol");
        change("MakeUserToken", &Stub::MakeUserToken, named<v1::MakeUserTokenRequest>("carol"), "carol");
        v1::UserKeyRequest key;
        key.set_user("carol");
        key.set_key(kKey);
        change("AddUserKey", &Stub::AddUserKey, key, "carol");
        change("RemoveUserKey", &Stub::RemoveUserKey, key, "carol");
        auto quota = named<v1::SetUserQuotaRequest>("carol");
        quota.mutable_quota()->set_slivers(5);
        change("SetUserQuota", &Stub::SetUserQuota, quota, "carol");
    }
    void slices() {
        v1::Image image;
        ASSERT_TRUE(import("busybox", "archive", &image).ok());
        expectRecorded("ImportImage", "busybox");
        for (const std::string slice : {"web", "batch"}) {
            auto create = named<v1::CreateSliceRequest>(slice);
            create.mutable_base()->set_image("busybox");
            create.mutable_base()->mutable_resources()->set_cpu_reservation_millis(500);
            create.add_nodes("node1");
            change("CreateSlice", &Stub::CreateSlice, create, slice);
        }
        change("RenewSlice", &Stub::RenewSlice, named<v1::RenewSliceRequest>("web"), "web");
        auto set = named<v1::SetSliceRequest>("web");
        set.mutable_resources()->set_pids(64);
        change("SetSlice", &Stub::SetSlice, set, "web");
        auto share = named<v1::ShareSliceRequest>("web");
        share.set_user("carol");
        change("ShareSlice", &Stub::ShareSlice, share, "web");
        v1::SetFrozenRequest freeze;
        freeze.mutable_id()->set_slice("web");
        freeze.set_frozen(true);
        change("SetFrozen", &Stub::SetFrozen, freeze, "web");
        freeze.set_frozen(false);
        change("SetFrozen", &Stub::SetFrozen, freeze, "web");
    }
    void guarantees() {
        auto lend = named<v1::LendGuaranteeRequest>("web");
        lend.set_borrower("batch");
        lend.set_cpu_millis(100);
        lend.set_duration_s(60);
        change("LendGuarantee", &Stub::LendGuarantee, lend, "web");
        auto end = named<v1::EndLoanRequest>("batch");
        end.set_lender("web");
        change("EndLoan", &Stub::EndLoan, end, "batch");
        auto reserve = named<v1::CreateReservationRequest>("nightly");
        reserve.add_nodes("node1");
        reserve.set_cpu_millis(100);
        reserve.set_duration_s(60);
        change("CreateReservation", &Stub::CreateReservation, reserve, "nightly");
        change("RemoveReservation", &Stub::RemoveReservation, named<v1::RemoveReservationRequest>("nightly"),
               "nightly");
    }
    void nodes() {
        change("MakeNodeToken", &Stub::MakeNodeToken, named<v1::MakeNodeTokenRequest>("node9"), "node9");
        auto role = named<v1::SetHomeAgentRoleRequest>("node3");
        role.set_allowed(true);
        change("SetHomeAgentRole", &Stub::SetHomeAgentRole, role, "node3");
        auto label = named<v1::SetNodeRequest>("node1");
        (*label.mutable_labels())["rack"] = "r1";
        change("SetNode", &Stub::SetNode, label, "node1");
        change("RebalanceNodes", &Stub::RebalanceNodes, v1::RebalanceNodesRequest(), "");
        change("DrainNode", &Stub::DrainNode, named<v1::DrainNodeRequest>("node3"), "node3");
        change("RevokeNode", &Stub::RevokeNode, named<v1::RevokeNodeRequest>("node3"), "node3");
    }
    void moveAndRun() {
        v1::GetSliverRequest where;
        where.mutable_id()->set_slice("web");
        where.mutable_id()->set_index(1);
        v1::Sliver sliver;
        ASSERT_TRUE(call(&Stub::GetSliver, where, &sliver).ok());
        v1::MoveSliverRequest move;
        *move.mutable_id() = where.id();
        move.set_to_node(sliver.node() == "node1" ? "node2" : "node1");
        change("MoveSliver", &Stub::MoveSliver, move, "web/1");
        grpc::ClientContext context;
        const auto stream = stub_->Exec(&context);
        stream->Write(execStart("cat"));
        stream->WritesDone();
        v1::ExecResponse response;
        while (stream->Read(&response)) continue;
        expectRecorded("Exec", "web/1");
    }
    void cancelAnImport() {
        grpc::ClientContext context;
        v1::Image image;
        const auto writer = stub_->ImportImage(&context, &image);
        v1::ImportImageRequest request;
        request.mutable_header()->set_name("debian");
        ASSERT_TRUE(writer->Write(request));
        v1::ListOperationsRequest list;
        list.set_subject("debian");
        list.set_running(true);
        v1::ListOperationsResponse running;
        while (running.operations_size() == 0) ASSERT_TRUE(call(&Stub::ListOperations, list, &running).ok());
        v1::CancelOperationRequest cancel;
        cancel.set_id(running.operations(0).id());
        v1::Operation operation;
        ASSERT_TRUE(call(&Stub::CancelOperation, cancel, &operation).ok());
        expectRecorded("CancelOperation", "debian");
        EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
    }
    void removeAll() {
        for (const std::string slice : {"web", "batch"}) {
            change("DeleteSlice", &Stub::DeleteSlice, named<v1::DeleteSliceRequest>(slice), slice);
        }
        change("RemoveImage", &Stub::RemoveImage, named<v1::RemoveImageRequest>("busybox"), "busybox");
        change("RemoveUser", &Stub::RemoveUser, named<v1::RemoveUserRequest>("carol"), "carol");
    }

    size_t heard_ = 0;
    std::set<std::string> recorded_;  // methods of which a success was
};

TEST_F(AuditTest, EveryChangeIsInItOnce) {
    people();
    slices();
    guarantees();
    nodes();
    moveAndRun();
    cancelAnImport();
    removeAll();
    std::set<std::string> changing;
    for (const Method& method : methods()) {
        if (method.changes) changing.insert(method.name);
    }
    EXPECT_EQ(recorded_, changing);
}

TEST_F(AuditTest, WhatFailedIsInItWithTheReason) {
    v1::RemoveImageResponse removed;
    EXPECT_FALSE(call(&Stub::RemoveImage, named<v1::RemoveImageRequest>("none"), &removed).ok());
    expectRecorded("RemoveImage", "none", "no image 'none'");
    v1::CancelOperationRequest cancel;
    cancel.set_id("none");
    v1::Operation operation;
    EXPECT_FALSE(call(&Stub::CancelOperation, cancel, &operation).ok());
    expectRecorded("CancelOperation", "none", "no operation");
    v1::Image image;
    EXPECT_FALSE(import("Not A Name", "archive", &image).ok());
    expectRecorded("ImportImage", "", "not valid");
}

}  // namespace
}  // namespace homeslice::controller
