// An underlay of IPv4 alone: home agent and nodes reach each other by no other way, clients come to the home agent by
// IPv6.
#include <atomic>

#include "base/ipv4.h"
#include "noded/mobility/binding_errors.h"
#include "noded/mobility/forwarder_fixture.h"
#include "noded/mobility/round_trips.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kNarrow = 1400;

class Ipv4UnderlayTest : public ForwarderTest {
protected:
    Ipv6Address underlay(const std::string& number) override {
        return parseAddress(number == "a" ? "10.51.10.2" : "10.51." + number + ".2").value();
    }
    void plugFirstNode() override { plugIpv4(*node1_, "to-node1", "10.51.1."); }
    void plugSecondNode() override { plugIpv4(*node2_, "to-node2", "10.51.2."); }
    void prepare() override {
        router_->shell("ip address add 10.51.10.1/24 dev to-ha");
        home_agent_->host.shell("ip address add 10.51.10.2/24 dev eth0; ip route add default via 10.51.10.1");
    }
    void plugIpv4(Node& node, const std::string& name, const std::string& subnet) {
        router_->connect(name, sys::randomMac(), node.host, "eth0", sys::randomMac(), 1500);
        router_->shell("ip address add " + subnet + "1/24 dev " + name);
        node.host.shell("ip address add " + subnet + "2/24 dev eth0; ip route add default via " + subnet + "1");
    }
    void start(Sliver& sliver, Node& node) {
        sliver.plugInto(node);
        bind(sliver.home, node, 1);
    }
    // Both nodes know where the other's sliver is.
    void optimize() {
        ASSERT_TRUE(node1_->forwarder->setCareOf(sliver2_.home, careOf({node2_->careOf()})).ok());
        ASSERT_TRUE(node2_->forwarder->setCareOf(sliver1_.home, careOf({node1_->careOf()})).ok());
    }
    static void expectBulk(const TestHost& from, const Ipv6Address& to) {
        const UniqueFd fd = makeSocket(from, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), to, kEchoPort), 0);
        EXPECT_TRUE(echoBulk(fd.get(), 8U << 20));
    }
};

TEST_F(Ipv4UnderlayTest, ClientReachesASliverAlsoInBulk) {
    start(sliver1_, *node1_);
    const EchoServer server(sliver1_.host);
    expectBulk(*client_, sliver1_.home);
    EXPECT_GT(node1_->forwarder->counters()->decapsulated_bytes, 8U << 20);
    EXPECT_GT(home_agent_->forwarder->counters()->decapsulated_bytes, 8U << 20) << "the way back";
    EXPECT_EQ(node1_->forwarder->counters()->dropped_malformed, 0u);
    EXPECT_EQ(home_agent_->forwarder->counters()->dropped_malformed, 0u);
}

TEST_F(Ipv4UnderlayTest, SliversReachEachOtherByTheHomeAgentAndStraight) {
    start(sliver1_, *node1_);
    start(sliver2_, *node2_);
    const EchoServer server(sliver2_.host);
    expectBulk(sliver1_.host, sliver2_.home);
    const uint64_t before = encapsulatedByHomeAgent();
    EXPECT_GT(before, 0u);
    optimize();
    expectBulk(sliver1_.host, sliver2_.home);
    EXPECT_LT(encapsulatedByHomeAgent(), before + 10) << "no more than the end of the first connection";
    for (const auto& node : {home_agent_.get(), node1_.get(), node2_.get()})
        EXPECT_EQ(node->forwarder->counters()->dropped_malformed, 0u);
}

TEST_F(Ipv4UnderlayTest, DistancesAreMeasured) {
    const std::vector<Ipv6Address> nodes{node1_->careOf(), node2_->careOf()};
    ASSERT_TRUE(home_agent_->forwarder->setCareOf(kSlice, careOf({nodes[0], nodes[1]}, Balance::nearest)).ok());
    home_agent_->host.run([&] {
        const auto round_trips = RoundTrips::start(home_agent_->careOf(), *home_agent_->forwarder);
        ASSERT_TRUE(round_trips.ok()) << round_trips.status();
        for (const Ipv6Address& node : nodes)
            EXPECT_TRUE(eventually([&] { return home_agent_->forwarder->roundTripTo(node).has_value(); }));
    });
}

// As with cards that know nothing of tunnels: the kernel segments, and sums up.
TEST_F(Ipv4UnderlayTest, BulkPassesLinksWithoutOffload) {
    for (const TestHost* host : {&home_agent_->host, &node1_->host, &node2_->host})
        host->shell("ethtool -K eth0 tx off tso off tx-ipxip4-segmentation off");
    start(sliver1_, *node1_);
    start(sliver2_, *node2_);
    const EchoServer server(sliver1_.host);
    expectBulk(*client_, sliver1_.home);
    expectBulk(sliver2_.host, sliver1_.home);
    optimize();
    expectBulk(sliver2_.host, sliver1_.home);
}

TEST_F(Ipv4UnderlayTest, ConnectionSurvivesAMove) {
    start(sliver1_, *node1_);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_EQ(echo(fd.get(), "before"), "before");
    sliver1_.unplugFrom(*node1_);
    sliver1_.plugInto(*node2_);
    bind(sliver1_.home, *node2_, 2);
    EXPECT_EQ(echo(fd.get(), "after"), "after");
}

TEST_F(Ipv4UnderlayTest, SliverBeginsWithAHostOutside) {
    start(sliver1_, *node1_);
    const EchoServer server(*client_);
    expectBulk(sliver1_.host, address("2001:db8:c::2"));
}

// node1 takes the sliver to be on node2, which has never heard of it.
TEST_F(Ipv4UnderlayTest, ANodeSaysWhatIsNotThere) {
    start(sliver1_, *node1_);
    std::atomic<int> heard = 0;
    std::vector<std::unique_ptr<BindingErrors>> errors;
    for (Node* const node : {node1_.get(), node2_.get()}) {
        node->host.run([&] {
            auto started = BindingErrors::start(*node->forwarder, node->careOf(),
                                                [&](const Ipv6Address& home, const Ipv6Address& care_of) {
                                                    if (home == sliver2_.home && care_of == node2_->careOf()) ++heard;
                                                });
            ASSERT_TRUE(started.ok()) << started.status();
            errors.push_back(std::move(*started));
        });
    }
    ASSERT_TRUE(node1_->forwarder->setCareOf(sliver2_.home, careOf({node2_->careOf()})).ok());
    const UniqueFd fd = makeSocket(sliver1_.host, SOCK_DGRAM);
    ASSERT_EQ(connectError(fd.get(), sliver2_.home, kEchoPort), 0);
    EXPECT_TRUE(eventually([&] { return ::send(fd.get(), "word", 4, MSG_NOSIGNAL) < 0 || heard > 0; }));
    EXPECT_GT(heard, 0);
}

TEST_F(Ipv4UnderlayTest, FragmentsReachClientsAndSlivers) {
    start(sliver1_, *node1_);
    start(sliver2_, *node2_);
    client_->shell(pingWithFragments(sliver1_.home.toString()));
    sliver1_.host.shell(pingWithFragments("2001:db8:c::2"));
    sliver2_.host.shell(pingWithFragments(sliver1_.home.toString()));
}

TEST_F(Ipv4UnderlayTest, ErrorsReachClientsAndSlivers) {
    start(sliver1_, *node1_);
    start(sliver2_, *node2_);
    // Too big for the tunnel, said to the client by the home agent and to a sliver by its node.
    for (const TestHost* from : {client_.get(), &sliver2_.host}) {
        const UniqueFd fd = makeSocket(*from, SOCK_DGRAM);
        ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
        setOption(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
        EXPECT_EQ(errorOfDatagram(fd.get(), 1452), EMSGSIZE);
        int mtu = 0;
        socklen_t length = sizeof(mtu);
        ASSERT_EQ(::getsockopt(fd.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &length), 0);
        EXPECT_EQ(mtu, 1472);
    }
    for (const int hops : {1, 2, 3}) {  // node1, the home agent, node2
        const UniqueFd fd = makeSocket(sliver1_.host, SOCK_DGRAM);
        ASSERT_EQ(connectError(fd.get(), sliver2_.home, kClosedPort), 0);
        setOption(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops);
        EXPECT_EQ(errorOfDatagram(fd.get(), 8), EHOSTUNREACH) << hops;
    }
    const UniqueFd unbound = makeSocket(sliver1_.host, SOCK_DGRAM);
    ASSERT_EQ(connectError(unbound.get(), address("fd51:1ce:0:1::1:77"), kEchoPort), 0);
    EXPECT_EQ(errorOfDatagram(unbound.get(), 8), EHOSTUNREACH);
}

class NarrowIpv4Test : public Ipv4UnderlayTest {
protected:
    // Behind another router and a narrow link.
    void plugFirstNode() override {
        far_router_ = std::make_unique<TestHost>();
        far_router_->makeRouter();
        router_->connect("to-far", sys::randomMac(), *far_router_, "eth0", sys::randomMac(), kNarrow);
        router_->shell("ip address add 10.51.15.1/24 dev to-far; ip route add 10.51.1.0/24 via 10.51.15.2");
        far_router_->shell("ip address add 10.51.15.2/24 dev eth0; ip route add default via 10.51.15.1");
        far_router_->connect("to-node1", sys::randomMac(), node1_->host, "eth0", sys::randomMac(), 1500);
        far_router_->shell("ip address add 10.51.1.1/24 dev to-node1");
        node1_->host.shell("ip address add 10.51.1.2/24 dev eth0; ip route add default via 10.51.1.1");
    }

    std::unique_ptr<TestHost> far_router_;
};

TEST_F(NarrowIpv4Test, WhatGoesIntoTheHomeAgentsTunnelShrinksByItself) {
    start(sliver1_, *node1_);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 2U << 20));
    int mtu = 0;
    socklen_t length = sizeof(mtu);
    EXPECT_EQ(::getsockopt(fd.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &length), 0);
    EXPECT_EQ(mtu, 1360) << "the greatest that there is a table for";
    EXPECT_GT(home_agent_->forwarder->counters()->path_mtu_changes, 0u);
    EXPECT_GT(node1_->forwarder->counters()->path_mtu_changes, 0u) << "the way back";
}

TEST_F(NarrowIpv4Test, BulkGetsThroughBetweenSliversByTheHomeAgent) {
    start(sliver1_, *node1_);
    start(sliver2_, *node2_);
    const EchoServer server(sliver1_.host);
    expectBulk(sliver2_.host, sliver1_.home);
    EXPECT_GT(home_agent_->forwarder->counters()->path_mtu_changes, 0u);
}

TEST_F(NarrowIpv4Test, BulkGetsThroughStraightBetweenSlivers) {
    start(sliver1_, *node1_);
    start(sliver2_, *node2_);
    optimize();
    const EchoServer server(sliver1_.host);
    expectBulk(sliver2_.host, sliver1_.home);
    EXPECT_GT(node2_->forwarder->counters()->path_mtu_changes, 0u);
}

}  // namespace
}  // namespace homeslice::mobility
