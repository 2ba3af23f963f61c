// BindingService and the transport that talks to it, over real gRPC.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/ipv4.h"
#include "base/status.h"
#include "homeslice/v1/binding.grpc.pb.h"
#include "noded/api/binding_convert.h"
#include "noded/api/binding_service.h"
#include "noded/api/binding_transport.h"
#include "noded/api/channel.h"
#include "noded/api/server.h"
#include "noded/api/test_fakes.h"
#include "noded/api/test_pki.h"
#include "noded/mobility/fake_forwarder.h"

namespace homeslice::api {
namespace {

const Ipv6Address kLoopback = Ipv6Address::parse("::1").value();

// As node2 sends them.
mobility::BindingUpdate updateOf(uint16_t binding_id, uint16_t sequence) {
    const mobility::BindingKey key{.home_address = Ipv6Address::parse("fd51::1:2").value(), .binding_id = binding_id};
    return {.key = key,
            .care_of_address = Ipv6Address::parse("fd00::1").value(),
            .sequence = sequence,
            .generation = 1,
            .lifetime_s = 40,
            .proof = TestPki::grantOf("node2", key, 1)};
}

class BindingTest : public testing::Test {
protected:
    void SetUp() override { startServer(0); }

    void startServer(uint16_t port) {
        auto server = Server::start({.address = kLoopback, .port = port, .credentials = pki_.node1},
                                    {.manager = manager_,
                                     .forwarder = forwarder_,
                                     .home_agent = &home_agent_,
                                     .peers = pki_.peers,
                                     .grants = pki_.grants,
                                     .inspect = [] { return "{}"; }});
        ASSERT_TRUE(server.ok()) << server.status();
        server_ = std::move(*server);
    }

    // What a gateway would see of a transport.
    struct Gateway {
        Eventually seen;
        int connected = 0;
        int watching = 0;
        std::vector<mobility::BindingAcknowledgement> acknowledgements;
        std::vector<mobility::BindingEvent> events;

        mobility::BindingTransport::Callbacks callbacks() {
            return {.connected = [this] { seen.change([&] { ++connected; }); },
                    .acknowledged = [this](const auto& ack) { seen.change([&] { acknowledgements.push_back(ack); }); },
                    .event = [this](const auto& event) { seen.change([&] { events.push_back(event); }); },
                    .watching =
                        [this] {
                            seen.change([&] {
                                ++watching;
                                events.clear();
                            });
                        }};
        }
    };

    std::unique_ptr<mobility::BindingTransport> transportTo(uint16_t port, Gateway& gateway) {
        return bindingTransports(pki_.node2)({.address = kLoopback, .api_port = port}, gateway.callbacks());
    }

    TestPki pki_;
    FakeManager manager_;
    FakeForwarder forwarder_;
    FakeHomeAgent home_agent_;
    std::unique_ptr<Server> server_;
};

TEST_F(BindingTest, AcknowledgesInOrderAndKnowsTheSender) {
    Gateway gateway;
    const auto transport = transportTo(server_->port(), gateway);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.connected == 1; }));
    constexpr uint16_t kUpdates = 500;
    for (uint16_t i = 0; i < kUpdates; ++i) transport->send(updateOf(0, i));
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.acknowledgements.size() == kUpdates; }));
    for (uint16_t i = 0; i < kUpdates; ++i) EXPECT_EQ(gateway.acknowledgements[i].sequence, i);
    EXPECT_EQ(gateway.acknowledgements[0].refresh_s, 20U);
    home_agent_.seen.change([&] { EXPECT_THAT(home_agent_.senders, testing::Each(kLoopback)); });
}

TEST_F(BindingTest, WatchersGetASnapshotThenChanges) {
    home_agent_.update(kLoopback, updateOf(1, 1));
    Gateway gateway;
    const auto transport = transportTo(server_->port(), gateway);
    using Kind = mobility::BindingEvent::Kind;
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.events.size() == 2; }));
    gateway.seen.change([&] {
        EXPECT_EQ(gateway.watching, 1);
        EXPECT_EQ(gateway.events[0].kind, Kind::bound);
        EXPECT_EQ(gateway.events[0].binding.key.binding_id, 1);
        EXPECT_GT(gateway.events[0].binding.expires, Monotonic::now() + std::chrono::seconds(30));
        EXPECT_EQ(gateway.events[1].kind, Kind::snapshot_end);
    });
    home_agent_.update(kLoopback, updateOf(2, 1));
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.events.size() == 3; }));
    gateway.seen.change([&] { EXPECT_EQ(gateway.events[2].binding.key.binding_id, 2); });
}

// Addresses are for the nodes that the controller gave them to, under the generation that it gave.
TEST_F(BindingTest, RefusesWhatTheControllerDidNotGrant) {
    Gateway gateway;
    const auto transport = transportTo(server_->port(), gateway);
    mobility::BindingUpdate none = updateOf(0, 1);
    none.proof.clear();
    mobility::BindingUpdate another_nodes = updateOf(0, 2);
    another_nodes.proof = TestPki::grantOf("node1", another_nodes.key, 1);
    mobility::BindingUpdate later = updateOf(0, 3);
    later.generation = 2;
    mobility::BindingUpdate deregistration = none;
    deregistration.lifetime_s = 0;
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.connected == 1; }));
    for (const auto& update : {none, another_nodes, later, deregistration}) transport->send(update);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.acknowledgements.size() == 4; }));
    gateway.seen.change([&] {
        for (const auto& acknowledgement : gateway.acknowledgements)
            EXPECT_EQ(acknowledgement.status, mobility::BindingStatus::administratively_prohibited);
    });
    home_agent_.seen.change([&] { EXPECT_TRUE(home_agent_.updates.empty()); });
}

// It makes its grants as well as the controller; so they are to be made with a key that it has not learnt.
TEST_F(BindingTest, WhoKnowsTheUsualKeyGrantsItselfNothing) {
    const std::string own_key = "what the controller and home agents do not share with node2";
    pki_.grants.setKeys(TestPki::kGrantKey, {{"node2", own_key}});
    Gateway gateway;
    const auto transport = transportTo(server_->port(), gateway);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.connected == 1; }));
    mobility::BindingUpdate granted = updateOf(0, 1);
    transport->send(granted);  // by the usual key
    granted.proof = pki::grantOf(own_key, {"node2", granted.key.home_address, granted.key.binding_id, 1});
    transport->send(granted);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.acknowledgements.size() == 2; }));
    gateway.seen.change([&] {
        EXPECT_EQ(gateway.acknowledgements[0].status, mobility::BindingStatus::administratively_prohibited);
        EXPECT_EQ(gateway.acknowledgements[1].status, mobility::BindingStatus::accepted);
    });
}

TEST_F(BindingTest, WithoutTheControllersKeyItIsNoHomeAgentYet) {
    pki_.grants.setKeys("", {});
    Gateway gateway;
    const auto transport = transportTo(server_->port(), gateway);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.connected == 1; }));
    transport->send(updateOf(0, 1));
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.acknowledgements.size() == 1; }));
    EXPECT_EQ(gateway.acknowledgements[0].status, mobility::BindingStatus::not_home_agent_for_this_mobile_node);
}

TEST_F(BindingTest, WatchersHearTheRoleAndTheTerms) {
    Gateway gateway;
    const auto transport = transportTo(server_->port(), gateway);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.events.size() == 1; }));
    home_agent_.setRole({.in_charge = true, .term = 7});
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.events.size() == 2; }));
    gateway.seen.change([&] {
        EXPECT_EQ(gateway.events[1].kind, mobility::BindingEvent::Kind::role);
        EXPECT_EQ(gateway.events[1].role, (mobility::HomeAgentRole{.in_charge = true, .term = 7}));
    });
    // Updates and the watch are two streams; what is sent before the first is open is lost.
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.connected == 1; }));
    mobility::BindingUpdate update = updateOf(3, 1);
    update.terms = {.priority = 10, .weight = 900, .draining = true};
    transport->send(update);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.events.size() == 3; }));
    gateway.seen.change([&] { EXPECT_EQ(gateway.events[2].binding.terms, update.terms); });
}

TEST_F(BindingTest, TransportComesBackAfterTheHomeAgent) {
    const uint16_t port = server_->port();
    Gateway gateway;
    const auto transport = transportTo(port, gateway);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.connected == 1 && gateway.watching == 1; }));
    server_.reset();
    transport->send(updateOf(0, 1));  // lost, or not: never harmful
    startServer(port);
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.connected == 2 && gateway.watching == 2; }));
    transport->send(updateOf(0, 2));
    ASSERT_TRUE(gateway.seen.wait([&] { return !gateway.acknowledgements.empty(); }));
    EXPECT_EQ(gateway.acknowledgements.back().sequence, 2);
}

TEST_F(BindingTest, ATransportToNowhereEndsAtOnce) {
    const uint16_t port = server_->port();
    server_.reset();
    Gateway gateway;
    auto transport = transportTo(port, gateway);
    const auto before = Monotonic::now();
    transport.reset();
    EXPECT_LT(Monotonic::now() - before, std::chrono::seconds(1));
    EXPECT_EQ(gateway.connected, 0);
}

TEST_F(BindingTest, ANodeThatIsNoHomeAgentIsNotConnectedTo) {
    const auto plain =
        Server::start({.address = kLoopback, .credentials = pki_.node1}, {.manager = manager_,
                                                                          .forwarder = forwarder_,
                                                                          .home_agent = nullptr,
                                                                          .peers = pki_.peers,
                                                                          .grants = pki_.grants,
                                                                          .inspect = [] { return "{}"; }});
    ASSERT_TRUE(plain.ok());
    grpc::ClientContext context;
    const auto stub = v1::BindingService::NewStub(pki_.channelTo(targetOf(kLoopback, (*plain)->port()), *pki_.node2));
    EXPECT_EQ(stub->Update(&context)->Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(BindingTest, MalformedUpdatesEndTheStream) {
    const auto stub = v1::BindingService::NewStub(pki_.channelTo(targetOf(kLoopback, server_->port()), *pki_.node2));
    grpc::ClientContext context;
    const auto stream = stub->Update(&context);
    v1::BindingUpdate message = toMessage(updateOf(0, 1));
    message.set_home_address("short");
    stream->Write(message);
    v1::BindingAcknowledgement acknowledgement;
    EXPECT_FALSE(stream->Read(&acknowledgement));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    home_agent_.seen.change([&] { EXPECT_TRUE(home_agent_.updates.empty()); });
}

TEST_F(BindingTest, WatchersLeaveNothingBehind) {
    {
        Gateway gateway;
        const auto transport = transportTo(server_->port(), gateway);
        ASSERT_TRUE(gateway.seen.wait([&] { return gateway.watching == 1; }));
        EXPECT_EQ(home_agent_.watchers(), 1U);
    }
    EXPECT_TRUE(home_agent_.seen.wait([&] { return home_agent_.watchers() == 0; }));
}

// A real gateway at a real home agent, and nobody else: registrations are refreshed before they expire, and vanish with
// their gateway.
TEST_F(BindingTest, RegistrationsOutliveTheirLifetimeWithoutAController) {
    mobility::FakeForwarder at_home;
    mobility::FakeForwarder at_node;
    const auto home_agent = mobility::HomeAgent::create({}, at_home);
    home_agent->setHomePrefix(Ipv6Prefix::parse("fd51::/48").value());
    const auto server =
        Server::start({.address = kLoopback, .credentials = pki_.node1}, {.manager = manager_,
                                                                          .forwarder = at_home,
                                                                          .home_agent = home_agent.get(),
                                                                          .peers = pki_.peers,
                                                                          .grants = pki_.grants,
                                                                          .inspect = [] { return "{}"; }});
    ASSERT_TRUE(server.ok()) << server.status();
    constexpr uint32_t kLifetimeSeconds = 2;
    auto gateway = mobility::AccessGateway::create({.care_of_address = kLoopback, .lifetime_s = kLifetimeSeconds},
                                                   at_node, bindingTransports(pki_.node2));
    gateway->setHomeAgents({{.address = kLoopback, .api_port = (*server)->port()}});
    const mobility::BindingKey key{.home_address = Ipv6Address::parse("fd51::1:2").value(), .binding_id = 0};
    gateway->bind(key, {1, TestPki::grantOf("node2", key, 1)});
    ASSERT_TRUE(gateway->waitRegistered(key, 1, std::chrono::seconds(20)).ok());
    Gateway watcher;  // of what the home agent says
    const auto transport = transportTo((*server)->port(), watcher);
    ASSERT_TRUE(watcher.seen.wait([&] { return watcher.events.size() == 2; }));

    const auto sequence = [&] {
        const auto bindings = home_agent->list();
        return bindings.empty() ? 0 : bindings[0].binding.sequence;
    };
    const int first = sequence();
    const auto deadline = Monotonic::now() + std::chrono::seconds(20);
    while (sequence() < first + 3 && Monotonic::now() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_GE(sequence(), first + 3) << "no refresh";
    watcher.seen.change([&] { EXPECT_EQ(watcher.events.size(), 2U) << "a refresh is no change"; });
    gateway.reset();
    ASSERT_TRUE(watcher.seen.wait([&] { return watcher.events.size() == 3; }));
    watcher.seen.change([&] { EXPECT_EQ(watcher.events[2].kind, mobility::BindingEvent::Kind::unbound); });
    EXPECT_TRUE(home_agent->list().empty());
}

TEST_F(BindingTest, ServesOverIpv4) {
    const Ipv6Address loopback = parseAddress("127.0.0.1").value();
    const auto server =
        Server::start({.address = loopback, .credentials = pki_.node1}, {.manager = manager_,
                                                                         .forwarder = forwarder_,
                                                                         .home_agent = &home_agent_,
                                                                         .peers = pki_.peers,
                                                                         .grants = pki_.grants,
                                                                         .inspect = [] { return "{}"; }});
    ASSERT_TRUE(server.ok()) << server.status();
    Gateway gateway;
    const auto transport =
        bindingTransports(pki_.node2)({.address = loopback, .api_port = (*server)->port()}, gateway.callbacks());
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.connected == 1; }));
    transport->send(updateOf(0, 1));
    ASSERT_TRUE(gateway.seen.wait([&] { return gateway.acknowledgements.size() == 1; }));
    home_agent_.seen.change([&] { EXPECT_THAT(home_agent_.senders, testing::ElementsAre(loopback)); });
    const Server::Config taken{.address = loopback, .port = (*server)->port(), .credentials = pki_.node1};
    EXPECT_EQ(errnoOf(Server::probe(taken)), EADDRINUSE);
}

// A service of its own, with a short queue; the watcher reads nothing until it has been given up.
TEST_F(BindingTest, AWatcherThatIsTooSlowIsEnded) {
    auto loop = IoLoop::start();
    ASSERT_TRUE(loop.ok());
    FakeForwarder forwarder;
    Workers workers(1);
    BindingService service(
        {.home_agent = home_agent_, .grants = pki_.grants, .forwarder = forwarder, .loop = **loop, .workers = workers},
        100);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("[::1]:0", pki_.node1->forServer(tls::ClientCertificate::required), &port);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    const auto stub =
        v1::BindingService::NewStub(pki_.channelTo(targetOf(kLoopback, static_cast<uint16_t>(port)), *pki_.node2));
    grpc::ClientContext context;
    const auto stream = stub->Watch(&context, v1::WatchBindingsRequest());
    ASSERT_TRUE(home_agent_.seen.wait([&] { return home_agent_.watchers() == 1; }));
    uint16_t sequence = 0;
    for (int i = 0; i < 200'000 && home_agent_.watchers() == 1; ++i)
        home_agent_.update(kLoopback, updateOf(1, ++sequence));
    EXPECT_TRUE(home_agent_.seen.wait([&] { return home_agent_.watchers() == 0; }));
    v1::BindingEvent event;
    while (stream->Read(&event)) {
    }
    EXPECT_FALSE(stream->Finish().ok());
    server->Shutdown();
}

}  // namespace
}  // namespace homeslice::api
