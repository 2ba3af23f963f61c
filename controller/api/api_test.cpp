// The whole controller over real gRPC, with simulated nodes and a SQLite store.
#include <gmock/gmock.h>

#include "base/status.h"
#include "controller/api/api_fixture.h"
#include "leader/controllers.h"

namespace homeslice::controller {
namespace {

using ::testing::HasSubstr;
using testing_support::ApiTest;
using testing_support::SimulatedNode;

using Stub = v1::ControllerService::Stub;

TEST_F(ApiTest, ASlicesLife) {
    bringUpWeb();
    EXPECT_EQ(sliver().state(), v1::SLIVER_STATE_RUNNING);
    EXPECT_EQ(sliver().node(), "node1");
    v1::ListSlicesResponse slices;
    ASSERT_TRUE(call(&Stub::ListSlices, v1::ListSlicesRequest(), &slices).ok());
    ASSERT_EQ(slices.slices_size(), 1);
    EXPECT_EQ(slices.slices(0).slivers_running(), 1U);
    EXPECT_EQ(slices.slices(0).prefix(), "fd51:1ce:0:1::/64");

    v1::MoveSliverRequest move;
    move.mutable_id()->set_slice("web");
    move.mutable_id()->set_index(1);
    move.set_to_node("node2");
    v1::Operation operation;
    ASSERT_TRUE(call(&Stub::MoveSliver, move, &operation).ok());
    EXPECT_EQ(waitFor(operation.id()).state(), v1::OPERATION_STATE_DONE);
    EXPECT_EQ(sliver().node(), "node2");
    EXPECT_EQ(sliver().generation(), 2U);
    EXPECT_EQ(sliver().moving_from(), "");
    EXPECT_EQ(call(&Stub::MoveSliver, move, &operation).error_code(), grpc::StatusCode::FAILED_PRECONDITION);

    v1::DeleteSliceRequest deletion;
    deletion.set_name("web");
    ASSERT_TRUE(call(&Stub::DeleteSlice, deletion, &operation).ok());
    const v1::Operation ended = waitFor(operation.id());
    EXPECT_EQ(ended.state(), v1::OPERATION_STATE_DONE);
    EXPECT_EQ(ended.kind(), "delete slice");
    EXPECT_EQ(ended.subject(), "web");
    EXPECT_EQ(nodes_["node2"]->lastPicture().slivers_size(), 0);
    v1::GetSliceRequest get;
    get.set_name("web");
    v1::Slice slice;
    EXPECT_EQ(call(&Stub::GetSlice, get, &slice).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ApiTest, ASliceIsChangedFrozenAndThawed) {
    bringUpWeb();
    v1::SetSliceRequest set;
    set.set_name("web");
    v1::Operation operation;
    EXPECT_EQ(call(&Stub::SetSlice, set, &operation).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    set.mutable_resources()->set_pids(1);
    EXPECT_EQ(call(&Stub::SetSlice, set, &operation).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    set.mutable_resources()->set_pids(64);
    ASSERT_TRUE(call(&Stub::SetSlice, set, &operation).ok());
    const v1::Operation changed = waitFor(operation.id());
    EXPECT_EQ(changed.state(), v1::OPERATION_STATE_DONE);
    EXPECT_EQ(changed.kind(), "set slice");
    EXPECT_EQ(nodes_["node1"]->lastPicture().slivers(0).base().resources().pids(), 64U);
    v1::GetSliceRequest get;
    get.set_name("web");
    v1::Slice slice;
    ASSERT_TRUE(call(&Stub::GetSlice, get, &slice).ok());
    EXPECT_EQ(slice.base().resources().pids(), 64U);
    EXPECT_EQ(slice.base().image(), "busybox");

    v1::SetFrozenRequest freeze;
    freeze.mutable_id()->set_slice("web");
    freeze.set_frozen(true);
    ASSERT_TRUE(call(&Stub::SetFrozen, freeze, &operation).ok());
    EXPECT_EQ(waitFor(operation.id()).kind(), "freeze");
    EXPECT_EQ(sliver().state(), v1::SLIVER_STATE_FROZEN);
    EXPECT_TRUE(sliver().frozen());
    EXPECT_EQ(sliver().health(), v1::HEALTH_HEALTHY);
    freeze.mutable_id()->set_index(1);
    freeze.set_frozen(false);
    ASSERT_TRUE(call(&Stub::SetFrozen, freeze, &operation).ok());
    const v1::Operation thawed = waitFor(operation.id());
    EXPECT_EQ(thawed.state(), v1::OPERATION_STATE_DONE);
    EXPECT_EQ(thawed.subject(), "web/1");
    EXPECT_EQ(sliver().state(), v1::SLIVER_STATE_RUNNING);
}

TEST_F(ApiTest, ImagesGoInAndOut) {
    const std::string archive(3'000'000, 'x');
    v1::Image image;
    ASSERT_TRUE(import("busybox", archive, &image).ok());
    EXPECT_EQ(image.size_bytes(), archive.size());
    const auto link = v1::NodeLink::NewStub(channelAs(*nodeCredentials("node1")));
    grpc::ClientContext context;
    v1::FetchImageRequest fetch;
    fetch.set_digest(image.digest());
    const auto reader = link->FetchImage(&context, fetch);
    std::string received;
    v1::Chunk chunk;
    while (reader->Read(&chunk)) received += chunk.data();
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(received, archive);

    EXPECT_EQ(import("Busy Box", archive, &image).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(import("empty", "", &image).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    fetch.set_digest("sha256:../../../etc/passwd");
    grpc::ClientContext bad_context;
    EXPECT_EQ(link->FetchImage(&bad_context, fetch)->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ApiTest, ExecIsRelayedBothWays) {
    bringUpWeb();
    grpc::ClientContext context;
    const auto stream = stub_->Exec(&context);
    ASSERT_TRUE(stream->Write(execStart("cat")));
    std::string out;
    std::string err;
    v1::ExecRequest input;
    v1::ExecResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.stderr_data(), "err");
    for (int i = 0; i < 200; ++i) {
        input.set_stdin_data("line " + std::to_string(i));
        ASSERT_TRUE(stream->Write(input));
        ASSERT_TRUE(stream->Read(&response));
        ASSERT_EQ(response.stdout_data(), input.stdin_data());
    }
    stream->WritesDone();
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.exit_status(), 7U);
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ApiTest, ExecPassesOnSignalsErrorsAndCancellation) {
    bringUpWeb();
    v1::ExecResponse response;
    {
        grpc::ClientContext context;
        const auto stream = stub_->Exec(&context);
        stream->Write(execStart("sleep"));
        v1::ExecRequest signal;
        signal.set_signal(15);
        stream->Write(signal);
        while (stream->Read(&response)) continue;
        EXPECT_EQ(response.exit_status(), 143U);
        EXPECT_TRUE(stream->Finish().ok()) << "though this side never closed its requests";
    }
    {
        grpc::ClientContext context;
        const auto stream = stub_->Exec(&context);
        stream->Write(execStart("refuse"));
        EXPECT_FALSE(stream->Read(&response));
        const grpc::Status status = stream->Finish();
        EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
        EXPECT_EQ(status.error_message(), "it does not run");
    }
    {
        grpc::ClientContext context;
        const auto stream = stub_->Exec(&context);
        stream->Write(execStart("yes"));
        ASSERT_TRUE(stream->Read(&response));
        context.TryCancel();
        EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
        EXPECT_TRUE(nodes_["node1"]->service.waitUntilCancelled());
    }
}

TEST_F(ApiTest, ExecSaysWhyItCannot) {
    bringUpWeb();
    const auto fail = [this](const v1::ExecRequest& first) {
        grpc::ClientContext context;
        const auto stream = stub_->Exec(&context);
        stream->Write(first);
        return stream->Finish();
    };
    v1::ExecRequest request = execStart("ls");
    request.mutable_start()->mutable_sliver()->set_index(9);
    EXPECT_EQ(fail(request).error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(fail(v1::ExecRequest()).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    nodes_.erase("node1");
    const auto away = [this] {
        const auto node = controller_->node("node1");
        return node.ok() && !node->not_ready.empty();
    };
    while (!away()) std::this_thread::yield();
    const grpc::Status status = fail(execStart("ls"));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), HasSubstr("node1"));
}

TEST_F(ApiTest, LogsBindingsAndInspectAreRelayed) {
    bringUpWeb();
    addNode("ha", true);
    grpc::ClientContext context;
    v1::LogsRequest logs;
    logs.mutable_sliver()->set_slice("web");
    logs.mutable_sliver()->set_index(1);
    const auto reader = stub_->Logs(&context, logs);
    v1::Chunk chunk;
    int lines = 0;
    while (reader->Read(&chunk)) ++lines;
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(lines, 100);
    EXPECT_EQ(chunk.data(), "web line 99\n");

    v1::ListBindingsResponse bindings;
    const grpc::Status listed = call(&Stub::ListBindings, v1::ListBindingsRequest(), &bindings);
    ASSERT_TRUE(listed.ok()) << listed.error_message();
    ASSERT_EQ(bindings.bindings_size(), 1);
    EXPECT_EQ(bindings.bindings(0).slice(), "web");
    EXPECT_EQ(bindings.bindings(0).sliver_index(), 1U);
    EXPECT_EQ(bindings.bindings(0).home_agent(), "ha");

    v1::GetNodeRequest inspect;
    inspect.set_name("node1");
    v1::InspectResponse dump;
    EXPECT_TRUE(call(&Stub::InspectNode, inspect, &dump).ok());
    EXPECT_EQ(dump.json(), "{}");
    inspect.set_name("node9");
    EXPECT_EQ(call(&Stub::InspectNode, inspect, &dump).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ApiTest, BindingsAreWatchedAsHomeAgentsTellThem) {
    bringUpWeb();
    const auto read = [](grpc::ClientReader<v1::HomeBindingEvent>& reader) {
        std::vector<v1::HomeBindingEvent> events;
        for (v1::HomeBindingEvent event; reader.Read(&event);) {
            events.push_back(event);
            if (event.snapshot_end()) break;
        }
        return events;
    };
    grpc::ClientContext nobody_yet;
    const auto empty = stub_->WatchHomeBindings(&nobody_yet, v1::WatchHomeBindingsRequest());
    EXPECT_EQ(read(*empty).size(), 1U) << "no home agent is there";
    addNode("ha", true);
    server_->tick();
    v1::HomeBindingEvent event;
    EXPECT_FALSE(empty->Read(&event));
    EXPECT_EQ(empty->Finish().error_code(), grpc::StatusCode::ABORTED) << "another one is there";

    grpc::ClientContext context;
    const auto watch = stub_->WatchHomeBindings(&context, v1::WatchHomeBindingsRequest());
    const std::vector<v1::HomeBindingEvent> events = read(*watch);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].bound().slice(), "web");
    EXPECT_EQ(events[0].bound().home_agent(), "ha");
    nodes_.erase("ha");
    EXPECT_FALSE(watch->Read(&event));
    const grpc::Status ended = watch->Finish();
    EXPECT_EQ(ended.error_code(), grpc::StatusCode::ABORTED);
    EXPECT_THAT(ended.error_message(), HasSubstr("home agent 'ha'"));
}

TEST_F(ApiTest, NodesThatMisbehaveAreRefused) {
    addNode("node1");
    const auto credentials = nodeCredentials("node1");
    SimulatedNode second(target(), credentials, "node1", false);  // another port: another noded
    EXPECT_EQ(second.end().error_code(), grpc::StatusCode::ALREADY_EXISTS);
    SimulatedNode odd(target(), credentials, "No Name", false);
    EXPECT_EQ(odd.end().error_code(), grpc::StatusCode::PERMISSION_DENIED);
    grpc::ClientContext context;
    const auto stream = v1::NodeLink::NewStub(channelAs(*credentials))->Connect(&context);
    v1::NodeMessage message;
    message.mutable_status();
    stream->Write(message);
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ApiTest, StopsWithStreamsOpenAndRemembersEverything) {
    bringUpWeb();
    grpc::ClientContext context;
    const auto stream = stub_->Exec(&context);
    stream->Write(execStart("sleep"));
    v1::ExecResponse response;
    ASSERT_TRUE(stream->Read(&response));
    stop();
    EXPECT_FALSE(stream->Finish().ok());
    EXPECT_EQ(nodes_["node1"]->end().error_code(), grpc::StatusCode::UNAVAILABLE);
    nodes_.clear();
    start();
    EXPECT_EQ(controller_->slices().size(), 1U);
    EXPECT_EQ(controller_->sliver({"web", 1})->state, SliverState::pending) << "until its node has spoken";
}

TEST_F(ApiTest, WithoutTheLeadNothingIsRefusedForAnotherReason) {
    v1::CreateSliceRequest request;
    request.set_name("web");
    request.mutable_base()->set_image("busybox");
    request.add_nodes("node1");
    v1::Operation operation;
    EXPECT_EQ(call(&v1::ControllerService::Stub::CreateSlice, request, &operation).error_code(),
              grpc::StatusCode::NOT_FOUND)
        << "there is no such image";
    leads_ = false;
    grpc::ClientContext context;
    EXPECT_EQ(stub_->CreateSlice(&context, request, &operation).error_code(), grpc::StatusCode::UNAVAILABLE)
        << "there may be one by now";
    EXPECT_TRUE(leader::endedWithTheLead(context));
    v1::ListNodesResponse nodes;
    EXPECT_EQ(call(&v1::ControllerService::Stub::ListNodes, v1::ListNodesRequest(), &nodes).error_code(),
              grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ApiTest, ListenFailuresSayWhich) {
    const std::string taken = "[::1]:" + std::to_string(server_->ports()[1]);
    const auto second = Server::start({taken}, *controller_, *images_, *issuer_);
    EXPECT_THAT(messageOf(second.status()), HasSubstr(taken));
    EXPECT_THAT(messageOf(second.status()), HasSubstr("EADDRINUSE"));
    const auto local = Server::start({"unix:" + directory_ + "/sock"}, *controller_, *images_, *issuer_);
    EXPECT_THAT(messageOf(local.status()), HasSubstr("another program serves it"));
}

}  // namespace
}  // namespace homeslice::controller
