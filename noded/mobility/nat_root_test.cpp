// A node behind a NAT that lets nothing in: node1. Home agent and node2 are outside, clients come to the home agent by
// IPv6.
#include <filesystem>
#include <set>

#include "base/ipv4.h"
#include "base/nat.h"
#include "noded/mobility/forwarder_fixture.h"
#include "noded/mobility/keepalive_client.h"
#include "noded/mobility/keepalive_message.h"
#include "noded/mobility/keepalive_server.h"
#include "noded/mobility/udp_socket.h"

namespace homeslice::mobility {
namespace {

constexpr std::chrono::milliseconds kInterval{200};
const std::string kHiddenName = "node1";

class NatTest : public ForwarderTest {
protected:
    void TearDown() override {
        client_side_.reset();
        server_.reset();
    }
    Ipv6Address underlay(const std::string& number) override {
        if (number == "1") return behindNat(parseAddress("192.168.1.2").value(), kHiddenName);
        return parseAddress(number == "a" ? "10.51.10.2" : "10.51." + number + ".2").value();
    }
    // Mappings get ports at random, so that none is like the one before.
    void plugFirstNode() override {
        router_->connect("to-nat", sys::randomMac(), nat_, "eth0", sys::randomMac(), nat_mtu_);
        router_->shell("ip address add 10.51.15.1/24 dev to-nat");
        nat_.makeRouter();
        nat_.connect("inside", sys::randomMac(), node1_->host, "eth0", sys::randomMac(), 1500);
        nat_.shell(
            "ip address add 10.51.15.2/24 dev eth0; ip route add default via 10.51.15.1;"
            "ip address add 192.168.1.1/24 dev inside;"
            "nft 'table ip nat {\n"
            "chain out {\n type nat hook postrouting priority srcnat\n"
            "oifname eth0 meta l4proto udp masquerade to :20000-60000 random\n oifname eth0 masquerade\n }\n"
            "chain pass {\n type filter hook forward priority filter\n"
            "iifname eth0 ct state != { established, related } drop\n }\n }'");
        node1_->host.shell("ip address add 192.168.1.2/24 dev eth0; ip route add default via 192.168.1.1");
    }
    void plugSecondNode() override {
        router_->connect("to-node2", sys::randomMac(), node2_->host, "eth0", sys::randomMac(), 1500);
        router_->shell("ip address add 10.51.2.1/24 dev to-node2");
        node2_->host.shell("ip address add 10.51.2.2/24 dev eth0; ip route add default via 10.51.2.1");
    }
    void prepare() override {
        router_->shell("ip address add 10.51.10.1/24 dev to-ha");
        home_agent_->host.shell("ip address add 10.51.10.2/24 dev eth0; ip route add default via 10.51.10.1");
    }
    void startServer() {
        home_agent_->host.run([&] {
            auto server =
                KeepaliveServer::start({.self = home_agent_->careOf(), .lifetime = lifetime_}, *home_agent_->forwarder);
            ASSERT_TRUE(server.ok()) << server.status();
            server_ = std::move(*server);
        });
    }
    void startClient() {
        node1_->host.run([&] {
            client_side_ = KeepaliveClient::create({.care_of_address = node1_->careOf(), .interval = kInterval},
                                                   [this](const HomeAgentAddress&, const std::string& key) {
                                                       return server_->setKey(kHiddenName, node1_->careOf(), key);
                                                   });
            client_side_->setHomeAgents({home_agent_name_});
        });
    }
    std::optional<UdpEndpoint> seen() { return client_side_->seen().at(home_agent_name_); }
    void begin() {
        startServer();
        startClient();
        ASSERT_TRUE(eventually([&] { return seen().has_value(); }));
        EXPECT_EQ(home_agent_->forwarder->natBindings().at(node1_->careOf()), *seen());
    }
    void start(Sliver& sliver, Node& node) {
        sliver.plugInto(node);
        bind(sliver.home, node, 1);
    }
    // What the home agents tell all nodes.
    void optimize() {
        ASSERT_TRUE(node1_->forwarder->setCareOf(sliver2_.home, careOf({node2_->careOf()})).ok());
        ASSERT_TRUE(node2_->forwarder->setCareOf(sliver1_.home, careOf({node1_->careOf()})).ok());
    }
    static void expectBulk(const TestHost& from, const Ipv6Address& to) {
        const UniqueFd fd = makeSocket(from, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), to, kEchoPort), 0);
        EXPECT_TRUE(echoBulk(fd.get(), 4U << 20));
    }
    void expectNothingMalformed() {
        for (const auto& node : {home_agent_.get(), node1_.get(), node2_.get()})
            EXPECT_EQ(node->forwarder->counters()->dropped_malformed, 0u) << addressText(node->careOf());
    }

    TestHost nat_;
    uint32_t nat_mtu_ = 1500;
    std::chrono::milliseconds lifetime_ = std::chrono::seconds(60);
    const HomeAgentAddress home_agent_name_{.address = parseAddress("10.51.10.2").value(), .api_port = 7401};
    std::unique_ptr<KeepaliveServer> server_;
    std::unique_ptr<KeepaliveClient> client_side_;
};

TEST_F(NatTest, ClientsReachASliverAlsoInBulk) {
    ASSERT_NO_FATAL_FAILURE(begin());
    start(sliver1_, *node1_);
    const EchoServer server(sliver1_.host);
    expectBulk(*client_, sliver1_.home);
    expectNothingMalformed();
}

TEST_F(NatTest, SliversReachEachOtherThroughTheHomeAgent) {
    ASSERT_NO_FATAL_FAILURE(begin());
    start(sliver1_, *node1_);
    start(sliver2_, *node2_);
    optimize();
    const uint64_t before = encapsulatedByHomeAgent();
    {
        const EchoServer server(sliver2_.host);
        expectBulk(sliver1_.host, sliver2_.home);
    }
    const uint64_t between = encapsulatedByHomeAgent();
    EXPECT_GT(between, before + 50);
    const EchoServer server(sliver1_.host);
    expectBulk(sliver2_.host, sliver1_.home);
    EXPECT_GT(encapsulatedByHomeAgent(), between + 50);
    expectNothingMalformed();
}

TEST_F(NatTest, BulkPassesLinksWithoutOffload) {
    ASSERT_NO_FATAL_FAILURE(begin());
    for (const TestHost* host : {&home_agent_->host, &node1_->host, &node2_->host, &nat_})
        host->shell("ethtool -K eth0 tx off tso off tx-udp_tnl-segmentation off");
    start(sliver1_, *node1_);
    start(sliver2_, *node2_);
    optimize();
    const EchoServer server(sliver1_.host);
    expectBulk(*client_, sliver1_.home);
    expectBulk(sliver2_.host, sliver1_.home);
}

TEST_F(NatTest, ConnectionsSurviveMovesOutOfTheNatAndBackIn) {
    ASSERT_NO_FATAL_FAILURE(begin());
    start(sliver1_, *node1_);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_EQ(echo(fd.get(), "inside"), "inside");
    sliver1_.unplugFrom(*node1_);
    sliver1_.plugInto(*node2_);
    bind(sliver1_.home, *node2_, 2);
    EXPECT_EQ(echo(fd.get(), "outside"), "outside");
    sliver1_.unplugFrom(*node2_);
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 3);
    EXPECT_EQ(echo(fd.get(), "inside again"), "inside again");
    EXPECT_TRUE(echoBulk(fd.get(), 1U << 20));
}

TEST_F(NatTest, SliverBeginsWithAHostOutside) {
    ASSERT_NO_FATAL_FAILURE(begin());
    start(sliver1_, *node1_);
    const EchoServer server(*client_);
    expectBulk(sliver1_.host, address("2001:db8:c::2"));
}

TEST_F(NatTest, ANewMappingHealsByTheNextKeepalive) {
    ASSERT_NO_FATAL_FAILURE(begin());
    start(sliver1_, *node1_);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_EQ(echo(fd.get(), "before"), "before");
    const auto before = seen();
    nat_.shell("conntrack -F 2>/dev/null");
    EXPECT_TRUE(eventually([&] { return seen() && seen() != before; }));
    EXPECT_EQ(echo(fd.get(), "after"), "after");
    EXPECT_EQ(home_agent_->forwarder->natBindings().at(node1_->careOf()), *seen());
}

TEST_F(NatTest, ARestartedHomeAgentGoesOnAtOnceAndGetsANewKey) {
    ASSERT_NO_FATAL_FAILURE(begin());
    start(sliver1_, *node1_);
    const EchoServer server(sliver1_.host);
    server_.reset();
    EXPECT_EQ(tryEcho(*client_, sliver1_.home), 0);
    startServer();
    EXPECT_EQ(tryEcho(*client_, sliver1_.home), 0);
    nat_.shell("conntrack -F 2>/dev/null");
    EXPECT_TRUE(eventually([&] { return tryEcho(*client_, sliver1_.home) == 0; }));
}

TEST_F(NatTest, ASilentNodeIsForgotten) {
    lifetime_ = std::chrono::seconds(1);
    ASSERT_NO_FATAL_FAILURE(begin());
    client_side_.reset();
    EXPECT_TRUE(eventually([&] { return home_agent_->forwarder->natBindings().empty(); }));
}

TEST_F(NatTest, ForgedAndRepeatedKeepalivesMoveNothing) {
    ASSERT_NO_FATAL_FAILURE(begin());
    const auto before = home_agent_->forwarder->natBindings();
    const std::string key(kKeepaliveKeySize, 'k');
    client_side_.reset();
    ASSERT_TRUE(server_->setKey(kHiddenName, node1_->careOf(), key).ok());
    const auto say = [&](const Node& node, uint64_t sequence, const std::string& with) {
        UniqueFd fd;
        node.host.run([&] {
            auto opened = openUdp(beforeNat(node.careOf()), home_agent_->careOf());
            ASSERT_TRUE(opened.ok()) << opened.status();
            fd = std::move(*opened);
        });
        sendUdp(fd.get(), encodeKeepalive({node1_->careOf(), sequence}, with), {home_agent_->careOf(), 4191});
        return fd;
    };
    const auto expect_refused = [&](uint64_t sequence, const std::string& with) {
        const uint64_t refused = server_->refused();
        say(*node2_, sequence, with);
        EXPECT_TRUE(eventually([&] { return server_->refused() > refused; }));
        EXPECT_EQ(home_agent_->forwarder->natBindings(), before);
    };
    expect_refused(1, std::string(kKeepaliveKeySize, 'x'));
    const UniqueFd own = say(*node1_, 5, key);
    pollfd answer{.fd = own.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&answer, 1, 20'000), 1);
    expect_refused(5, key);
    expect_refused(4, key);
}

TEST_F(NatTest, ANodeSpeaksForItsOwnAddressAlone) {
    startServer();
    const std::string key(kKeepaliveKeySize, 'k');
    EXPECT_EQ(server_->setKey("node2", node1_->careOf(), key).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(server_->setKey("node2", node2_->careOf(), key).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(server_->setKey(kHiddenName, node1_->careOf(), "short").code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(server_->setKey(kHiddenName, node1_->careOf(), key).ok());
}

TEST_F(NatTest, AnalyserReadsOurPacketsClean) {
    ASSERT_NO_FATAL_FAILURE(begin());
    start(sliver1_, *node1_);
    for (const TestHost* host : {client_.get(), static_cast<TestHost*>(&sliver1_.host)})
        host->shell("ethtool -K eth0 tx off tso off gso off >/dev/null");
    const std::string file = std::filesystem::temp_directory_path() / ("hst-nat-capture-" + std::to_string(::getpid()));
    std::filesystem::remove(file);
    std::thread capture(
        [&] { router_->shell("timeout 30 tcpdump -i to-ha -U -w " + file + " -c 300 2>/dev/null || [ $? = 124 ]"); });
    while (!std::filesystem::exists(file)) std::this_thread::yield();
    {
        const EchoServer server(sliver1_.host);
        client_->shell(pingWithFragments(sliver1_.home.toString()));
        expectBulk(*client_, sliver1_.home);
    }
    capture.join();
    const std::string read = "tshark -n -d udp.port==4191,ipv6 -r " + file +
                             " -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE";
    EXPECT_GT(std::stoi(router_->shell(read + " -Y 'udp.port == 4191 && ipv6.dst == " + sliver1_.home.toString() +
                                       "' | wc -l")),
              10);
    EXPECT_EQ(router_->shell(
                  read + " -Y 'udp.port == 4191 && udp.length != 80 && (_ws.malformed || tcp.checksum.status == 0 || "
                         "ip.checksum.status == 0 || udp.checksum.status == 0 || icmpv6.checksum.status == 0)'"),
              "");
    std::filesystem::remove(file);
}

class NarrowNatTest : public NatTest {
protected:
    NarrowNatTest() { nat_mtu_ = 1400; }
};

TEST_F(NarrowNatTest, WhatGoesIntoTheTunnelShrinksByItself) {
    ASSERT_NO_FATAL_FAILURE(begin());
    start(sliver1_, *node1_);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 2U << 20));
    int mtu = 0;
    socklen_t length = sizeof(mtu);
    EXPECT_EQ(::getsockopt(fd.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &length), 0);
    EXPECT_EQ(mtu, 1360);
    EXPECT_GT(home_agent_->forwarder->counters()->path_mtu_changes, 0u);
    EXPECT_GT(node1_->forwarder->counters()->path_mtu_changes, 0u) << "the way back";
}

}  // namespace
}  // namespace homeslice::mobility
