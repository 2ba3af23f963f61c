// The way from slivers back to hosts outside, through networks that let home addresses out of nodes and through such
// that do not (BCP 38).
#include "noded/mobility/forwarder_fixture.h"

namespace homeslice::mobility {
namespace {

class ReturnPathTest : public ForwarderTest {
protected:
    // What a node sends is to have an address of the node's network as source.
    void filterSources() {
        router_->shell(R"(nft -f - <<'END'
            table ip6 ingress {
                counter foreign { }
                chain nodes {
                    type filter hook forward priority filter;
                    iifname "to-node1" ip6 saddr != fd00:51ce:1::/64 counter name foreign drop
                    iifname "to-node2" ip6 saddr != fd00:51ce:2::/64 counter name foreign drop
                }
            }
END)");
    }
    bool hasFiltered() {
        return router_->shell("nft list counter ip6 ingress foreign").find("packets 0 ") == std::string::npos;
    }
    uint64_t decapsulatedByHomeAgent() { return home_agent_->forwarder->counters()->decapsulated_packets; }
};

class ReverseTunnelTest : public ReturnPathTest {
protected:
    void prepare() override {
        filterSources();
        node1_->sendByHomeAgent();
        node2_->sendByHomeAgent();
    }
};

TEST_F(ReturnPathTest, AnswersGoStraightUnlessTold) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver1_.host);
    EXPECT_EQ(tryEcho(*client_, sliver1_.home), 0);
    EXPECT_EQ(decapsulatedByHomeAgent(), 0u);
}

TEST_F(ReturnPathTest, StraightAnswersAreLostWhereSourcesAreFiltered) {
    filterSources();
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    client_->shell("! ping -6 -c 4 -i 0.5 -W 1 " + sliver1_.home.toString());
    EXPECT_TRUE(hasFiltered());
}

TEST_F(ReverseTunnelTest, AnswersGetThroughTheFilterByTheHomeAgent) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 8U << 20));
    EXPECT_GT(home_agent_->forwarder->counters()->decapsulated_bytes, 8U << 20);
    EXPECT_FALSE(hasFiltered());
}

TEST_F(ReverseTunnelTest, SharedAddressesAnswerThroughItToo) {
    sliver1_.plugInto(*node1_);
    sliver2_.plugInto(*node2_);
    bind(kSlice, *node1_, 1, 1);
    bind(kSlice, *node2_, 1, 2);
    const EchoServer server1(sliver1_.host);
    const EchoServer server2(sliver2_.host);
    for (int connection = 0; connection < 20; ++connection) EXPECT_EQ(tryEcho(*client_, kSlice), 0);
    EXPECT_GT(node1_->forwarder->counters()->decapsulated_packets, 0u);
    EXPECT_GT(node2_->forwarder->counters()->decapsulated_packets, 0u);
    EXPECT_FALSE(hasFiltered());
}

TEST_F(ReverseTunnelTest, SliversBeginThroughItAndLearnTheMtu) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const Ipv6Address outside = address("2001:db8:c::2");
    const EchoServer server(*client_);
    EXPECT_EQ(tryEcho(sliver1_.host, outside), 0);
    EXPECT_GT(decapsulatedByHomeAgent(), 0u);
    // The node itself stays a neighbour: what it asks is answered straight.
    node1_->host.shell("ping -6 -c 1 -W 5 " + sliver1_.home.toString());
    // An error of a router outside finds the sliver.
    const UniqueFd fd = makeSocket(sliver1_.host, SOCK_DGRAM);
    ASSERT_EQ(connectError(fd.get(), outside, kClosedPort), 0);
    EXPECT_EQ(errorOfDatagram(fd.get(), 8), ECONNREFUSED);
    setOption(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, 2);
    EXPECT_EQ(errorOfDatagram(fd.get(), 8), EHOSTUNREACH) << "the home agent";
}

// A node that lies about the source inside.
TEST_F(ReverseTunnelTest, HomeAgentSendsNothingOnForSliversOfOtherNodes) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node2_, 1);
    sliver1_.host.shell("! ping -6 -c 4 -i 0.5 -W 1 2001:db8:c::2");
    EXPECT_GT(home_agent_->forwarder->counters()->dropped_spoofed_source, 0u);
}

}  // namespace
}  // namespace homeslice::mobility
