// Who may call a node, over real TLS.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "homeslice/v1/binding.grpc.pb.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/server.h"
#include "noded/api/test_fakes.h"
#include "noded/api/test_pki.h"

namespace homeslice::api {
namespace {

using testing::HasSubstr;

const Ipv6Address kLoopback = Ipv6Address::parse("::1").value();

class PeerTableTest : public testing::Test {
protected:
    void SetUp() override {
        auto server =
            Server::start({.address = kLoopback, .credentials = pki_.node1}, {.manager = manager_,
                                                                              .forwarder = forwarder_,
                                                                              .home_agent = &home_agent_,
                                                                              .peers = pki_.peers,
                                                                              .grants = pki_.grants,
                                                                              .inspect = [] { return "{}"; }});
        ASSERT_TRUE(server.ok()) << server.status();
        server_ = std::move(*server);
    }
    std::string target() const { return targetOf(kLoopback, server_->port()); }

    grpc::Status inspectAs(const tls::Credentials& caller) {
        grpc::ClientContext context;
        v1::InspectResponse response;
        return v1::NodeService::NewStub(pki_.channelTo(target(), caller))
            ->Inspect(&context, v1::InspectRequest(), &response);
    }
    grpc::Status takeDiskAs(const tls::Credentials& caller) {
        v1::ExportDiskRequest request;
        request.mutable_sliver()->set_slice("web");
        request.mutable_sliver()->set_index(1);
        request.set_generation(7);
        grpc::ClientContext context;
        const auto stream = v1::NodeService::NewStub(pki_.channelTo(target(), caller))->ExportDisk(&context, request);
        v1::Chunk chunk;
        while (stream->Read(&chunk)) continue;
        return stream->Finish();
    }
    grpc::Status bindAs(const tls::Credentials& caller) {
        grpc::ClientContext context;
        const auto stream = v1::BindingService::NewStub(pki_.channelTo(target(), caller))->Update(&context);
        stream->WritesDone();
        return stream->Finish();
    }
    static void expectDenied(const grpc::Status& status, const std::string& why) {
        EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << status.error_message();
        EXPECT_THAT(status.error_message(), HasSubstr(why));
    }

    TestPki pki_;
    FakeManager manager_;
    FakeForwarder forwarder_;
    FakeHomeAgent home_agent_;
    std::unique_ptr<Server> server_;
};

TEST_F(PeerTableTest, EachMayDoItsOwnPartAndNoMore) {
    EXPECT_TRUE(inspectAs(*pki_.controller).ok());
    EXPECT_TRUE(bindAs(*pki_.node2).ok());
    expectDenied(inspectAs(*pki_.node2), "node 'node2' lacks the right to call /homeslice.v1.NodeService/Inspect");
    expectDenied(bindAs(*pki_.controller), "the controller lacks the right");
    expectDenied(takeDiskAs(*pki_.controller), "the controller lacks the right");
}

TEST_F(PeerTableTest, UsersAndUnknownNodesAreRefused) {
    expectDenied(inspectAs(*pki_.open(pki::Kind::user, "alice")), "user 'alice' is not known here");
    expectDenied(bindAs(*pki_.open(pki::Kind::node, "node9")), "node 'node9' is not known here, or was revoked");
}

TEST_F(PeerTableTest, ADiskIsForTheNodeThatTheControllerNamed) {
    expectDenied(takeDiskAs(*pki_.node2), "node 'node2' lacks the right to take the disk of web/1");
    pki_.peers.setDiskReaders({{{.slice = "web", .index = 1}, "node3"}});
    expectDenied(takeDiskAs(*pki_.node2), "lacks the right");
    pki_.peers.setDiskReaders({{{.slice = "web", .index = 1}, "node2"}});
    manager_.export_disk = [](int) { return absl::OkStatus(); };
    const grpc::Status status = takeDiskAs(*pki_.node2);
    EXPECT_TRUE(status.ok()) << status.error_message();
}

// What TLS refuses is no call at all: the caller hears of a server that it cannot reach.
TEST_F(PeerTableTest, ClearTextEndsBeforeACall) {
    grpc::ClientContext context;
    v1::InspectResponse response;
    const auto clear = grpc::CreateChannel(target(), grpc::InsecureChannelCredentials());
    EXPECT_EQ(v1::NodeService::NewStub(clear)->Inspect(&context, v1::InspectRequest(), &response).error_code(),
              grpc::StatusCode::UNAVAILABLE);
}

TEST_F(PeerTableTest, ExpiredCertificatesAndAnotherSystemsEndBeforeACall) {
    const auto expired = pki_.shortLived(*pki_.controller, -std::chrono::seconds(2));
    EXPECT_EQ(inspectAs(*expired).error_code(), grpc::StatusCode::UNAVAILABLE);
    const TestPki another;
    EXPECT_EQ(inspectAs(*another.controller).error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_TRUE(inspectAs(*pki_.controller).ok()) << "of those that count, with the right certificate";
}

// TLS looks once, when the connection is made: the rest is the table's.
TEST_F(PeerTableTest, ACertificateThatExpiresEndsWhatIsOpen) {
    const auto brief = pki_.shortLived(*pki_.node2, std::chrono::seconds(3));
    const auto stub = v1::BindingService::NewStub(pki_.channelTo(target(), *brief));
    grpc::ClientContext context;
    const auto stream = stub->Watch(&context, v1::WatchBindingsRequest());
    v1::BindingEvent event;
    ASSERT_TRUE(stream->Read(&event));
    std::atomic<bool> ended = false;
    std::thread reviewer([&] {
        while (!ended) {
            pki_.peers.review();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    });
    while (stream->Read(&event)) continue;
    ended = true;
    reviewer.join();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    grpc::ClientContext again;
    EXPECT_FALSE(stub->Watch(&again, v1::WatchBindingsRequest())->Finish().ok());
}

TEST_F(PeerTableTest, RevocationEndsWhatIsOpen) {
    grpc::ClientContext context;
    const auto stub = v1::BindingService::NewStub(pki_.channelTo(target(), *pki_.node2));
    const auto stream = stub->Watch(&context, v1::WatchBindingsRequest());
    v1::BindingEvent event;
    ASSERT_TRUE(stream->Read(&event));
    pki_.peers.set({{"node1", pki_.node1->identity().enrolment}});
    while (stream->Read(&event)) continue;
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    expectDenied(bindAs(*pki_.node2), "was revoked");
}

}  // namespace
}  // namespace homeslice::api
