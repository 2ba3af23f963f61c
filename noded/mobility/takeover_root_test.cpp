// Connections to a shared address across a change of the home agent: both have their own turns, and the second goes on
// with what the first chose.
#include "noded/mobility/flow_news.h"
#include "noded/mobility/forwarder_fixture.h"

namespace homeslice::mobility {
namespace {

class TakeoverTest : public ForwarderTest {
protected:
    void SetUp() override {
        ForwarderTest::SetUp();
        second_ = std::make_unique<Node>(*bpffs_, "ha2", address("fd00:51ce:b::2"), true);
        plug(second_->host, "to-ha2", "fd00:51ce:b::");
        const std::vector<Ipv6Address> peers{home_agent_->careOf(), second_->careOf(), node1_->careOf(),
                                             node2_->careOf()};
        second_->open(peers, Ipv6Address());
        for (Node* node : {node1_.get(), node2_.get()})
            EXPECT_EQ(node->forwarder->setTrustedPeers(peers), absl::OkStatus());
        second_bindings_ = HomeAgent::create({}, *second_->forwarder);
        second_bindings_->setHomePrefix(prefix(kHomePrefix));
        bindings_->flowNews().watch([this](const std::vector<ChosenFlow>& flows) {
            for (const ChosenFlow& flow : flows)
                EXPECT_EQ(second_->forwarder->rememberFlow(flow, false), absl::OkStatus());
        });
        sliver1_.plugInto(*node1_);
        sliver2_.plugInto(*node2_);
        for (HomeAgent* home_agent : {bindings_.get(), second_bindings_.get()}) {
            bindInTurn(*home_agent, 1, *node1_);
            bindInTurn(*home_agent, 2, *node2_);
        }
    }
    void TearDown() override { bindings_.reset(); }

    static void bindInTurn(HomeAgent& home_agent, uint16_t id, const Node& node) {
        const BindingUpdate update{.key = {.home_address = kSlice, .binding_id = id},
                                   .care_of_address = node.careOf(),
                                   .terms = {.balance = Balance::round_robin},
                                   .sequence = 1,
                                   .generation = 1,
                                   .lifetime_s = 60};
        EXPECT_EQ(home_agent.update(node.careOf(), update).status, BindingStatus::accepted);
    }
    UniqueFd connectToSlice() {
        UniqueFd fd = makeSocket(*client_, SOCK_STREAM);
        EXPECT_EQ(connectError(fd.get(), kSlice, kEchoPort), 0);
        EXPECT_EQ(echo(fd.get(), "before"), "before");
        return fd;
    }

    std::unique_ptr<Node> second_;
    std::unique_ptr<HomeAgent> second_bindings_;
};

TEST_F(TakeoverTest, ConnectionsStayWithTheirSlivers) {
    const EchoServer server1(sliver1_.host);
    const EchoServer server2(sliver2_.host);
    const UniqueFd first = connectToSlice();
    const UniqueFd second = connectToSlice();
    ASSERT_TRUE(eventually([&] { return second_->forwarder->flows().size() == 2; }));
    const uint64_t before = second_->forwarder->counters()->encapsulated_packets;

    // The first one is gone from one packet to the next.
    router_->shell("ip -6 route replace " + kHomePrefix + " via fd00:51ce:b::2 dev to-ha2");
    home_agent_->host.shell("ip link set eth0 down");
    // In the other order: its turns alone would give each to the other sliver.
    EXPECT_EQ(echo(second.get(), "after"), "after");
    EXPECT_EQ(echo(first.get(), "after"), "after");
    EXPECT_GT(second_->forwarder->counters()->encapsulated_packets, before);
}

}  // namespace
}  // namespace homeslice::mobility
