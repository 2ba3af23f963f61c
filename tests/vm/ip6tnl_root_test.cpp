// The kernel's own tunnel device for RFC 2473, as Debian 12 has it, in the place of a home agent and in that of a node,
// with ours at the other end. Only in the machine: kernels of elsewhere may lack ip6_tunnel. By default it puts a
// destination option, the tunnel encapsulation limit (RFC 2473 4.1.1), into each packet, and is content without.
#include "noded/mobility/forwarder_fixture.h"

namespace homeslice::mobility {
namespace {

// Of `ip -6 tunnel`.
constexpr const char* kDefault = "";
constexpr const char* kNoLimit = "encaplimit none";

class Ip6tnlTest : public ForwarderTest, public testing::WithParamInterface<const char*> {
protected:
    static void withoutForwarder(Node& node) {
        node.forwarder.reset();
        node.host.run([&] { ASSERT_EQ(removeForwarder(node.config()), absl::OkStatus()); });
    }
    static void addTunnel(const Node& here, const Node& there) {
        here.host.shell("ip -6 tunnel add tunnel mode ip6ip6 local " + here.careOf().toString() + " remote " +
                        there.careOf().toString() + " dev eth0 " + GetParam() + "; ip link set tunnel up");
        const std::string limit = GetParam() == std::string(kDefault) ? "encaplimit 4" : kNoLimit;
        here.host.shell("ip -6 tunnel show tunnel | grep -q '" + limit + "'");
    }
    // node1 as a plain router with the sliver behind it.
    void plugIntoPlainNode() {
        node1_->host.connect("hs1", sys::randomMac(), sliver1_.host, "eth0", sys::randomMac(), 1440);
        node1_->host.shell("ip -6 address add fe80::1/64 dev hs1 nodad; ip -6 route add " + home() + " dev hs1");
        sliver1_.host.shell("ip -6 address add " + home() +
                            " dev eth0 nodad; ip -6 route add default via fe80::1 dev eth0");
    }
    std::string home() const { return sliver1_.home.toString() + "/128"; }
    void expectService() {
        const EchoServer server(sliver1_.host);
        const UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
        ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
        EXPECT_TRUE(echoBulk(fd.get(), 1U << 19));
    }
};

TEST_P(Ip6tnlTest, EncapsulatesAndOurNodeDecapsulates) {
    sliver1_.plugInto(*node1_);
    bindings_.reset();
    withoutForwarder(*home_agent_);
    addTunnel(*home_agent_, *node1_);
    home_agent_->host.shell("ip -6 route replace " + home() + " dev tunnel");
    expectService();
    EXPECT_GT(node1_->forwarder->counters()->decapsulated_packets, 10u);
    EXPECT_EQ(node1_->forwarder->counters()->dropped_malformed, 0u);
}

TEST_P(Ip6tnlTest, DecapsulatesWhatOurHomeAgentEncapsulatesAndAnswersByTunnelToo) {
    withoutForwarder(*node1_);
    plugIntoPlainNode();
    addTunnel(*node1_, *home_agent_);
    bind(sliver1_.home, *node1_, 1);
    expectService();
    EXPECT_GT(encapsulatedByHomeAgent(), 10u);
    node1_->host.shell(
        "ip -s -j link show tunnel | jq -e '.[0].stats64.rx.packets > 10 and .[0].stats64.rx.errors == 0'");

    node1_->host.shell("ip -6 rule add from " + home() + " lookup 42; ip -6 route add default dev tunnel table 42");
    expectService();
    EXPECT_GT(home_agent_->forwarder->counters()->decapsulated_packets, 10u);
    EXPECT_EQ(home_agent_->forwarder->counters()->dropped_spoofed_source, 0u);
    EXPECT_EQ(home_agent_->forwarder->counters()->dropped_malformed, 0u);
}

INSTANTIATE_TEST_SUITE_P(Limit, Ip6tnlTest, testing::Values(kDefault, kNoLimit),
                         [](const auto& limit) { return limit.param == std::string(kDefault) ? "Default" : "None"; });

}  // namespace
}  // namespace homeslice::mobility
