// Every long request can be repeated: with the same request id it is done once, whoever asks how often, and at once.
#include <gmock/gmock.h>

#include <functional>
#include <set>
#include <thread>

#include "base/reason.h"
#include "controller/api/api_fixture.h"
#include "rpc/status.h"

namespace homeslice::controller {
namespace {

using testing_support::ApiTest;
using Stub = v1::ControllerService::Stub;

constexpr int kAtOnce = 8;

class RequestIdTest : public ApiTest {
protected:
    void SetUp() override {
        ApiTest::SetUp();
        for (const std::string node : {"node1", "node2"}) addNode(node);
        v1::Image image;
        ASSERT_TRUE(import("busybox", "archive", &image).ok());
    }

    size_t operations() {
        v1::ListOperationsResponse list;
        EXPECT_TRUE(call(&Stub::ListOperations, v1::ListOperationsRequest(), &list).ok());
        return static_cast<size_t>(list.operations_size());
    }
    // By so many clients at once, and once more when it has ended; then for another subject.
    template <typename Request>
    void expectDoneOnce(const std::string& method,
                        grpc::Status (Stub::*stub)(grpc::ClientContext*, const Request&, v1::Operation*),
                        Request request, const std::function<void(Request&)>& change_subject) {
        SCOPED_TRACE(method);
        tried_.insert(method);
        request.set_request_id("the id of " + method);
        const size_t before = operations();
        std::vector<v1::Operation> answers(kAtOnce);
        std::vector<std::thread> clients;
        for (v1::Operation& answer : answers) {
            clients.emplace_back([&] {
                const grpc::Status status = call(stub, request, &answer);
                EXPECT_TRUE(status.ok()) << status.error_message();
            });
        }
        for (std::thread& client : clients) client.join();
        waitFor(answers[0].id());
        v1::Operation late;
        EXPECT_TRUE(call(stub, request, &late).ok());
        EXPECT_EQ(late.state(), v1::OPERATION_STATE_DONE) << late.step();
        answers.push_back(late);
        for (const v1::Operation& answer : answers) EXPECT_EQ(answer.id(), answers[0].id());
        EXPECT_EQ(operations(), before + 1);
        change_subject(request);
        const grpc::Status another = call(stub, request, &late);
        EXPECT_EQ(reasonOf(rpc::fromGrpc(another)).word, reason::kRequestIdReused) << another.error_message();
        EXPECT_EQ(operations(), before + 1);
    }

    std::set<std::string> tried_;
};

TEST_F(RequestIdTest, EveryOperationIsBegunOnce) {
    v1::CreateSliceRequest create;
    create.set_name("web");
    create.mutable_base()->set_image("busybox");
    create.add_nodes("node1");
    expectDoneOnce<v1::CreateSliceRequest>("CreateSlice", &Stub::CreateSlice, create,
                                           [](auto& request) { request.set_name("db"); });
    v1::SetSliceRequest set;
    set.set_name("web");
    set.mutable_resources()->set_pids(64);
    expectDoneOnce<v1::SetSliceRequest>("SetSlice", &Stub::SetSlice, set,
                                        [](auto& request) { request.set_name("db"); });
    v1::SetFrozenRequest freeze;
    freeze.mutable_id()->set_slice("web");
    freeze.set_frozen(true);
    expectDoneOnce<v1::SetFrozenRequest>("SetFrozen", &Stub::SetFrozen, freeze,
                                         [](auto& request) { request.set_frozen(false); });
    freeze.set_frozen(false);
    v1::Operation thaw;
    ASSERT_TRUE(call(&Stub::SetFrozen, freeze, &thaw).ok());
    waitFor(thaw.id());
    v1::MoveSliverRequest move;
    move.mutable_id()->set_slice("web");
    move.mutable_id()->set_index(1);
    move.set_to_node("node2");
    expectDoneOnce<v1::MoveSliverRequest>("MoveSliver", &Stub::MoveSliver, move,
                                          [](auto& request) { request.mutable_id()->set_index(2); });
    v1::DrainNodeRequest drain;
    drain.set_name("node2");
    expectDoneOnce<v1::DrainNodeRequest>("DrainNode", &Stub::DrainNode, drain,
                                         [](auto& request) { request.set_name("node1"); });
    // It has no subject: another request by this id is one of another kind.
    v1::RebalanceNodesRequest rebalance;
    expectDoneOnce<v1::RebalanceNodesRequest>("RebalanceNodes", &Stub::RebalanceNodes, rebalance,
                                              [](auto& request) { request.set_request_id("the id of DrainNode"); });
    v1::DeleteSliceRequest deletion;
    deletion.set_name("web");
    expectDoneOnce<v1::DeleteSliceRequest>("DeleteSlice", &Stub::DeleteSlice, deletion,
                                           [](auto& request) { request.set_name("db"); });

    // Whatever answers an operation that it begins is above, and takes an id.
    const auto& service = *v1::FlowReport::descriptor()->file()->FindServiceByName("ControllerService");
    for (int i = 0; i < service.method_count(); ++i) {
        const auto& method = *service.method(i);
        const bool begins = method.output_type() == v1::Operation::descriptor() && !method.server_streaming() &&
                            method.name() != "GetOperation" && method.name() != "CancelOperation";
        EXPECT_EQ(begins, tried_.contains(method.name())) << method.name();
    }
}

// An id is no way to another user's operation.
TEST_F(RequestIdTest, AnothersIdSaysNothing) {
    v1::CreateSliceRequest create;
    create.set_name("web");
    create.mutable_base()->set_image("busybox");
    create.add_nodes("node1");
    create.set_request_id("guessed");
    v1::Operation operation;
    ASSERT_TRUE(call(&Stub::CreateSlice, create, &operation).ok());
    waitFor(operation.id());
    const auto bob = v1::ControllerService::NewStub(channelAs(*userCredentials("bob")));
    grpc::ClientContext context;
    v1::Operation seen;
    const grpc::Status status = bob->CreateSlice(&context, create, &seen);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS) << status.error_message();
    EXPECT_EQ(seen.id(), "");
}

}  // namespace
}  // namespace homeslice::controller
