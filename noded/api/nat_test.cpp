// What a node behind a NAT does differently: over real gRPC, with a controller that the test plays.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>

#include "base/ipv4.h"
#include "base/nat.h"
#include "base/status.h"
#include "homeslice/v1/binding.grpc.pb.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/binding_transport.h"
#include "noded/api/channel.h"
#include "noded/api/keepalive_keys.h"
#include "noded/api/nat_listener.h"
#include "noded/api/server.h"
#include "noded/api/test_fakes.h"
#include "noded/api/test_pki.h"

namespace homeslice::api {
namespace {

const Ipv6Address kLoopback = Ipv6Address::parse("::1").value();
const Ipv6Address kPrivate = parseAddress("192.168.1.2").value();

class RecordingKeepaliveServer final : public mobility::KeepaliveServer {
public:
    absl::Status setKey(const std::string& node, const Ipv6Address& care_of_address, const std::string& key) override {
        const std::lock_guard lock(mutex_);
        node_ = node;
        if (!isBehindNatOf(care_of_address, node)) return invalidArgument("not its own");
        key_ = key;
        return absl::OkStatus();
    }
    uint64_t refused() override { return 0; }

    std::string node() {
        const std::lock_guard lock(mutex_);
        return node_;
    }
    std::string key() {
        const std::lock_guard lock(mutex_);
        return key_;
    }

private:
    std::mutex mutex_;
    std::string node_;
    std::string key_;
};

class NatBindingTest : public testing::Test {
protected:
    std::unique_ptr<Server> serve(mobility::KeepaliveServer* keepalives) {
        auto server =
            Server::start({.address = kLoopback, .credentials = pki_.node1}, {.manager = manager_,
                                                                              .forwarder = forwarder_,
                                                                              .home_agent = &home_agent_,
                                                                              .peers = pki_.peers,
                                                                              .grants = pki_.grants,
                                                                              .keepalives = keepalives,
                                                                              .inspect = [] { return "{}"; }});
        EXPECT_TRUE(server.ok()) << server.status();
        return *std::move(server);
    }

    TestPki pki_;
    FakeManager manager_;
    FakeForwarder forwarder_;
    FakeHomeAgent home_agent_;
    RecordingKeepaliveServer keepalives_;
};

// Seen at the NAT's address; who it is its certificate says.
TEST_F(NatBindingTest, ANodesOwnAddressBehindANatIsItsSender) {
    const auto server = serve(&keepalives_);
    Eventually seen;
    int acknowledged = 0;
    bool connected = false;
    const auto transport = bindingTransports(pki_.node2)(
        {.address = kLoopback, .api_port = server->port()},
        {.connected = [&] { seen.change([&] { connected = true; }); },
         .acknowledged = [&](const auto& /*ack*/) { seen.change([&] { ++acknowledged; }); },
         .event = [](const auto& /*event*/) {},
         .watching = [] {}});
    ASSERT_TRUE(seen.wait([&] { return connected; }));
    for (const char* node : {"node2", "node1"}) {
        const mobility::BindingKey key{.home_address = Ipv6Address::parse("fd51::1:2").value()};
        transport->send({.key = key,
                         .care_of_address = behindNat(kPrivate, node),
                         .sequence = 1,
                         .generation = 1,
                         .lifetime_s = 40,
                         .proof = TestPki::grantOf("node2", key, 1)});
    }
    ASSERT_TRUE(seen.wait([&] { return acknowledged == 2; }));
    home_agent_.seen.change([&] {
        EXPECT_THAT(home_agent_.senders, testing::ElementsAre(behindNat(kPrivate, "node2"), kLoopback))
            << "another's address is not the sender's: the home agent refuses it";
    });
}

TEST_F(NatBindingTest, KeepaliveKeysComeWithTheNodesName) {
    const auto server = serve(&keepalives_);
    const mobility::HomeAgentAddress home_agent{.address = kLoopback, .api_port = server->port()};
    const std::string key(32, 'k');
    EXPECT_TRUE(keepaliveKeys(pki_.node2, behindNat(kPrivate, "node2"))(home_agent, key).ok());
    EXPECT_EQ(keepalives_.node(), "node2");
    EXPECT_EQ(keepalives_.key(), key);
    EXPECT_EQ(keepaliveKeys(pki_.node2, behindNat(kPrivate, "node1"))(home_agent, key).code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(keepaliveKeys(pki_.controller, behindNat(kPrivate, "node2"))(home_agent, key).ok()) << "for nodes";
}

TEST_F(NatBindingTest, AHomeAgentWithoutIpv4SaysSo) {
    const auto server = serve(nullptr);
    EXPECT_EQ(keepaliveKeys(pki_.node2, behindNat(kPrivate, "node2"))(
                  {.address = kLoopback, .api_port = server->port()}, std::string(32, 'k'))
                  .code(),
              absl::StatusCode::kFailedPrecondition);
}

// Hands the test each call that a node holds open.
class ListeningController final : public v1::NodeLink::Service {
public:
    using Stream = grpc::ServerReaderWriter<v1::Chunk, v1::Chunk>;

    grpc::Status Listen(grpc::ServerContext* /*context*/, Stream* stream) override {
        std::unique_lock lock(mutex_);
        stream_ = stream;
        changed_.notify_all();
        changed_.wait(lock, [&] { return released_ == stream || ended_; });
        return grpc::Status::OK;
    }
    // The call that waits; taken once.
    Stream* next() {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return stream_ != nullptr; });
        return std::exchange(stream_, nullptr);
    }
    void release(Stream* stream) {
        const std::lock_guard lock(mutex_);
        released_ = stream;
        changed_.notify_all();
    }

    void end() {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ended_ = false;
    Stream* stream_ = nullptr;
    Stream* released_ = nullptr;
};

// A socket that listens where the node's API would.
struct LocalServer {
    LocalServer() : fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in6 name{};
        name.sin6_family = AF_INET6;
        name.sin6_addr = kLoopback.toIn6();
        socklen_t size = sizeof name;
        auto* const generic = reinterpret_cast<sockaddr*>(&name);
        EXPECT_EQ(::bind(fd.get(), generic, size), 0);
        EXPECT_EQ(::listen(fd.get(), 8), 0);
        EXPECT_EQ(::getsockname(fd.get(), generic, &size), 0);
        port = ntohs(name.sin6_port);
    }
    UniqueFd accept() const { return UniqueFd(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

    UniqueFd fd;
    uint16_t port = 0;
};

TEST(NatListenerTest, EachCallBecomesAConnectionToTheNodesServer) {
    const TestPki pki;
    ListeningController controller;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("[::1]:0", pki.controller->forServer(tls::ClientCertificate::required), &port);
    builder.RegisterService(&controller);
    const auto server = builder.BuildAndStart();
    const LocalServer local;
    auto listener =
        NatListener::start(controllersOf("[::1]:" + std::to_string(port), pki.node1), kLoopback, local.port);

    for (const std::string word : {"first", "second"}) {
        ListeningController::Stream* const call = controller.next();
        ASSERT_NE(call, nullptr);
        v1::Chunk chunk;
        chunk.set_data(word);
        ASSERT_TRUE(call->Write(chunk));
        const UniqueFd connection = local.accept();
        ASSERT_TRUE(connection.valid());
        std::string heard(word.size(), '\0');
        EXPECT_EQ(::recv(connection.get(), heard.data(), heard.size(), MSG_WAITALL), static_cast<ssize_t>(word.size()));
        EXPECT_EQ(heard, word);
        EXPECT_EQ(::send(connection.get(), "answer", 6, MSG_NOSIGNAL), 6);
        ASSERT_TRUE(call->Read(&chunk));
        EXPECT_EQ(chunk.data(), "answer");
        controller.release(call);
        char byte = 0;
        EXPECT_EQ(::recv(connection.get(), &byte, 1, 0), 0) << "the end of the call is the connection's";
    }
    listener.reset();  // also while a call waits
    controller.end();
    server->Shutdown(std::chrono::system_clock::now());
}

}  // namespace
}  // namespace homeslice::api
