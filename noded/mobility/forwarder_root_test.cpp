// The data plane end to end: real sockets across network namespaces.
#include "noded/mobility/forwarder_fixture.h"
#include "noded/sys/traffic_control.h"

namespace homeslice::mobility {
namespace {

TEST_F(ForwarderTest, ClientReachesASliverThroughTheHomeAgentAlsoInBulk) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 16U << 20));
    EXPECT_GT(bindings_->list().at(0).counters.bytes, 16U << 20);
    EXPECT_EQ(node1_->forwarder->counters()->dropped_malformed, 0u);
}

TEST_F(ForwarderTest, ConnectionSurvivesAMove) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_EQ(echo(fd.get(), "before"), "before");
    sliver1_.unplugFrom(*node1_);
    sliver1_.plugInto(*node2_);
    bind(sliver1_.home, *node2_, 2);
    EXPECT_EQ(echo(fd.get(), "after"), "after");
    EXPECT_GT(node2_->forwarder->counters()->decapsulated_packets, 0u);
    // Back again.
    sliver1_.unplugFrom(*node2_);
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 3);
    EXPECT_TRUE(echoBulk(fd.get(), 1U << 20));
}

// The way to a node is looked up anew soon, however many packets are on it.
TEST_F(ForwarderTest, PacketsFollowARouteThatChanges) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    ASSERT_TRUE(echoBulk(fd.get(), 1U << 20));
    const std::string nowhere = node1_->careOf().toString() + "/128 via fe80::dead dev eth0";
    home_agent_->host.shell("ip -6 neigh add fe80::dead lladdr 02:00:00:00:de:ad dev eth0; ip -6 route add " + nowhere);
    EXPECT_TRUE(eventually([&] {
        return client_->shell("ping -6 -c1 -W1 " + sliver1_.home.toString() +
                              " >/dev/null && echo there || echo lost") == "lost\n";
    }));
    home_agent_->host.shell("ip -6 route del " + nowhere);
    EXPECT_TRUE(echoBulk(fd.get(), 1U << 20));
}

TEST_F(ForwarderTest, SenderThatKnowsTheOldPlaceStillGetsThrough) {
    sliver1_.plugInto(*node1_);
    sliver2_.plugInto(*node2_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver2_.host);
    // node1 believes that sliver 2 is at itself's neighbour, where it was never; the home agent knows better.
    bind(sliver2_.home, *node2_, 2);
    ASSERT_TRUE(node1_->forwarder->setCareOf(sliver2_.home, careOf({home_agent_->careOf()})).ok());
    EXPECT_EQ(tryEcho(sliver1_.host, sliver2_.home), 0);
    sliver2_.unplugFrom(*node2_);
    sliver2_.plugInto(*node1_);
    bind(sliver2_.home, *node1_, 3);
    // The client's packets still go to node2 when the home agent is told late: node2 hands them back, once.
    ASSERT_TRUE(home_agent_->forwarder->setCareOf(sliver2_.home, careOf({node1_->careOf()})).ok());
    ASSERT_TRUE(node2_->forwarder->setCareOf(sliver2_.home, {}).ok());
    EXPECT_EQ(tryEcho(*client_, sliver2_.home), 0);
}

TEST_F(ForwarderTest, SliversTalkStraightOnceTheirNodesKnow) {
    sliver1_.plugInto(*node1_);
    sliver2_.plugInto(*node2_);
    bind(sliver1_.home, *node1_, 1);
    bind(sliver2_.home, *node2_, 1);
    const EchoServer server(sliver2_.host);
    EXPECT_EQ(tryEcho(sliver1_.host, sliver2_.home), 0);
    EXPECT_GT(encapsulatedByHomeAgent(), 0u);
    ASSERT_TRUE(node1_->forwarder->setCareOf(sliver2_.home, careOf({node2_->careOf()})).ok());
    ASSERT_TRUE(node2_->forwarder->setCareOf(sliver1_.home, careOf({node1_->careOf()})).ok());
    const uint64_t before = encapsulatedByHomeAgent();
    const UniqueFd fd = makeSocket(sliver1_.host, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver2_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 16U << 20));
    EXPECT_EQ(encapsulatedByHomeAgent(), before);
}

TEST_F(ForwarderTest, SliversOfOneNodeTalkWithoutATunnel) {
    sliver1_.plugInto(*node1_);
    sliver2_.plugInto(*node1_);
    const EchoServer server(sliver2_.host);
    EXPECT_EQ(tryEcho(sliver1_.host, sliver2_.home), 0);
    EXPECT_EQ(node1_->forwarder->counters()->encapsulated_packets, 0u);
    EXPECT_GT(node1_->forwarder->counters()->local_packets, 0u);
}

TEST_F(ForwarderTest, WhatAQueuedPortReceivesIsLimitedByItsQueueWhateverTheWay) {
    constexpr size_t kSize = 8U << 20;
    constexpr double kRate = 4U << 20;  // bytes per second
    sliver1_.plugInto(*node1_, true);
    sliver2_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const int port = node1_->host.index(sliver1_.portName());
    ASSERT_EQ(sys::limitSending(node1_->host.netlink(), port,
                                {.bytes_per_second = 4U << 20, .burst_bytes = 1U << 16, .queue_bytes = 1U << 18}),
              absl::OkStatus());
    const EchoServer server(sliver1_.host);
    for (const TestHost* from : {client_.get(), &sliver2_.host}) {
        const UniqueFd fd = makeSocket(*from, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_TRUE(echoBulk(fd.get(), kSize));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        EXPECT_LE(kSize / took.count(), kRate * 1.05);
    }
}

TEST_F(ForwarderTest, SliceAddressIsServedByAllItsNodes) {
    sliver1_.plugInto(*node1_);
    sliver2_.plugInto(*node2_);
    bind(kSlice, *node1_, 1, 1);
    bind(kSlice, *node2_, 1, 2);
    const EchoServer server1(sliver1_.host);
    const EchoServer server2(sliver2_.host);
    for (int connection = 0; connection < 20; ++connection) EXPECT_EQ(tryEcho(*client_, kSlice), 0);
    EXPECT_GT(node1_->forwarder->counters()->decapsulated_packets, 0u);
    EXPECT_GT(node2_->forwarder->counters()->decapsulated_packets, 0u);
}

TEST_F(ForwarderTest, SenderLearnsThePathMtu) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const UniqueFd fd = makeSocket(*client_, SOCK_DGRAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    setOption(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
    EXPECT_EQ(errorOfDatagram(fd.get(), 1452), EMSGSIZE);  // 1500 bytes with its headers
    int mtu = 0;
    socklen_t length = sizeof(mtu);
    ASSERT_EQ(::getsockopt(fd.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &length), 0);
    EXPECT_EQ(mtu, 1460);
    EXPECT_GT(home_agent_->forwarder->counters()->packet_too_big, 0u);
}

TEST_F(ForwarderTest, UnboundAddressesAreUnreachableAtOnce) {
    const UniqueFd from_client = makeSocket(*client_, SOCK_STREAM);
    EXPECT_EQ(connectError(from_client.get(), sliver2_.home, kEchoPort), EHOSTUNREACH) << "ICMPv6 type 1, code 3";
    // The time is that of a datagram: here, where all is one machine, the answer to a SYN is back before connect(2) has
    // let go of its socket, and counts only when the SYN is repeated.
    const UniqueFd datagrams = makeSocket(*client_, SOCK_DGRAM);
    ASSERT_EQ(connectError(datagrams.get(), sliver2_.home, kEchoPort), 0);
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(errorOfDatagram(datagrams.get(), 8), EHOSTUNREACH);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(2));
    // A sliver hears it too, though the home agent's answer has to come by tunnel.
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const UniqueFd from_sliver = makeSocket(sliver1_.host, SOCK_STREAM);
    EXPECT_EQ(connectError(from_sliver.get(), sliver2_.home, kEchoPort), EHOSTUNREACH);
}

TEST_F(ForwarderTest, WhatNobodyRefreshesIsUnreachableAfterItsLifetime) {
    sliver1_.plugInto(*node1_);
    const EchoServer server(sliver1_.host);
    BindingUpdate update{.key = {.home_address = sliver1_.home},
                         .care_of_address = node1_->careOf(),
                         .sequence = 1,
                         .generation = 1,
                         .lifetime_s = 40};
    ASSERT_EQ(bindings_->update(node1_->careOf(), update).status, BindingStatus::accepted);
    EXPECT_EQ(tryEcho(*client_, sliver1_.home), 0);
    // The last refresh; not the registration: the first SYN can be lost to a neighbour that is not known yet.
    update.sequence = 2;
    update.lifetime_s = 2;
    ASSERT_EQ(bindings_->update(node1_->careOf(), update).status, BindingStatus::accepted);
    EXPECT_TRUE(eventually([&] { return bindings_->list().empty(); }));
    EXPECT_TRUE(eventually([&] { return tryEcho(*client_, sliver1_.home) == EHOSTUNREACH; }));
}

TEST_F(ForwarderTest, HopLimitIsCountedAtEachNode) {
    sliver1_.plugInto(*node1_);
    sliver2_.plugInto(*node2_);
    bind(sliver1_.home, *node1_, 1);
    bind(sliver2_.home, *node2_, 1);
    for (const int hops : {1, 2, 3}) {  // node1, the home agent, node2
        const UniqueFd fd = makeSocket(sliver1_.host, SOCK_DGRAM);
        ASSERT_EQ(connectError(fd.get(), sliver2_.home, kClosedPort), 0);
        setOption(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops);
        EXPECT_EQ(errorOfDatagram(fd.get(), 8), EHOSTUNREACH) << hops;
    }
    const UniqueFd fd = makeSocket(sliver1_.host, SOCK_DGRAM);
    ASSERT_EQ(connectError(fd.get(), sliver2_.home, kClosedPort), 0);
    setOption(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, 4);
    EXPECT_EQ(errorOfDatagram(fd.get(), 8), ECONNREFUSED);
}

TEST_F(ForwarderTest, NodesThemselvesReachSlivers) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver1_.host);
    EXPECT_EQ(tryEcho(node1_->host, sliver1_.home), 0);
    EXPECT_EQ(tryEcho(node2_->host, sliver1_.home), 0);
    EXPECT_EQ(tryEcho(home_agent_->host, sliver1_.home), 0);
}

TEST_F(ForwarderTest, SliverReachesTheOutsideAndAnswersFindBack) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(*client_);
    EXPECT_EQ(tryEcho(sliver1_.host, address("2001:db8:c::2")), 0);
}

TEST_F(ForwarderTest, PacketsFlowOnWithoutNodedAndAfterItsReturn) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    bindings_.reset();
    home_agent_->forwarder.reset();
    node1_->forwarder.reset();
    EXPECT_EQ(echo(fd.get(), "while dead"), "while dead");
    const std::vector<Ipv6Address> peers{home_agent_->careOf(), node1_->careOf(), node2_->careOf()};
    home_agent_->open(peers, Ipv6Address());
    node1_->open(peers, home_agent_->careOf());
    bindings_ = HomeAgent::create({}, *home_agent_->forwarder);
    EXPECT_EQ(bindings_->list().size(), 1u);
    EXPECT_EQ(echo(fd.get(), "back again"), "back again");
}

}  // namespace
}  // namespace homeslice::mobility
