// Flows to a shared address go to the member with the shortest round trip: measured over real links, of which one is
// slow.
#include <chrono>
#include <memory>
#include <optional>

#include "noded/mobility/forwarder_fixture.h"
#include "noded/mobility/round_trips.h"
#include "noded/mobility/slow_link.h"

namespace homeslice::mobility {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDelay{30};  // each way

class NearestTest : public ForwarderTest {
protected:
    // The second node is at the end of a slow link.
    void plugSecondNode() override {
        router_->connect("to-node2", sys::randomMac(), cable_, "near", sys::randomMac(), 1500);
        cable_.connect("far", sys::randomMac(), node2_->host, "eth0", sys::randomMac(), 1500);
        router_->addAddress("to-node2", "fd00:51ce:2::1", 64);
        node2_->host.addAddress("eth0", "fd00:51ce:2::2", 64);
        node2_->host.addRoute("::/0", "eth0", "fd00:51ce:2::1");
        slow_ = std::make_unique<SlowLink>(cable_, "near", "far", kDelay);
    }
    void prepare() override {
        for (const TestHost* host : {client_.get(), router_.get(), &node2_->host})
            for (const std::string link : {"eth0", "to-node2", "to-client"})
                host->shell("ethtool -K " + link + " tx off tso off gso off > /dev/null 2>&1 || true");
    }
    void SetUp() override {
        ForwarderTest::SetUp();
        sliver1_.plugInto(*node1_);
        sliver2_.plugInto(*node2_);
        sliver2_.host.shell("ethtool -K eth0 tx off tso off gso off");
        server1_ = std::make_unique<EchoServer>(sliver1_.host);
        server2_ = std::make_unique<EchoServer>(sliver2_.host);
        startMeasuring();
    }
    void TearDown() override {
        round_trips_.reset();
        // They wait for the ends of connections, which come by way of the slow link.
        server1_.reset();
        server2_.reset();
        slow_.reset();
    }
    void startMeasuring() {
        home_agent_->host.run([&] {
            auto started = RoundTrips::start(home_agent_->careOf(), *home_agent_->forwarder);
            ASSERT_TRUE(started.ok()) << started.status();
            round_trips_ = std::move(*started);
        });
    }
    void bindNearest(uint16_t id, const Node& node, uint16_t sequence, uint32_t lifetime_s) {
        const BindingUpdate update{.key = {.home_address = kSlice, .binding_id = id},
                                   .care_of_address = node.careOf(),
                                   .terms = {.balance = Balance::nearest},
                                   .sequence = sequence,
                                   .generation = 1,
                                   .lifetime_s = lifetime_s};
        EXPECT_EQ(bindings_->update(node.careOf(), update).status, BindingStatus::accepted);
    }
    uint64_t packetsTo(uint16_t id) {
        return home_agent_->forwarder->countersOf({.home_address = kSlice, .binding_id = id})->packets;
    }
    std::optional<std::chrono::microseconds> distanceOf(const Node& node) {
        return home_agent_->forwarder->roundTripTo(node.careOf());
    }
    // The first echoes wait for links and neighbour discovery.
    void awaitDistances() {
        ASSERT_TRUE(eventually([&] {
            const auto near = distanceOf(*node1_);
            const auto far = distanceOf(*node2_);
            return near && far && 2 * *near < *far;
        }));
    }
    // Eight flows, each with a word there and back.
    void beginFlows() {
        for (int flow = 0; flow < 8; ++flow) EXPECT_EQ(tryEcho(*client_, kSlice), 0);
    }

    TestHost cable_;
    std::unique_ptr<SlowLink> slow_;
    std::unique_ptr<EchoServer> server1_;
    std::unique_ptr<EchoServer> server2_;
    std::unique_ptr<RoundTrips> round_trips_;
};

TEST_F(NearestTest, TheNearOneGetsNewFlowsAndTheFarOneWhenThatIsGone) {
    bindNearest(1, *node1_, 1, 60);
    bindNearest(2, *node2_, 1, 60);
    awaitDistances();
    EXPECT_GE(*distanceOf(*node2_), 2 * kDelay);
    const uint64_t far_before = packetsTo(2);
    beginFlows();
    EXPECT_GE(packetsTo(1), 8ull * 3);
    EXPECT_EQ(packetsTo(2), far_before) << "the far one got something";

    // It leaves: its sliver is unhealthy, or gone.
    bindNearest(1, *node1_, 2, 0);
    beginFlows();
    EXPECT_GE(packetsTo(2), far_before + 8ull * 3);
}

TEST_F(NearestTest, DistancesAreFollowedAndLivingFlowsStay) {
    bindNearest(1, *node1_, 1, 60);
    bindNearest(2, *node2_, 1, 60);
    awaitDistances();
    const UniqueFd lasting = makeSocket(*client_, SOCK_STREAM);
    ASSERT_EQ(connectError(lasting.get(), kSlice, kEchoPort), 0);
    ASSERT_EQ(echo(lasting.get(), "before"), "before");

    // Now the near one does not answer any more: its echoes are lost on the way.
    node1_->host.shell(
        "nft add table ip6 deaf && nft add chain ip6 deaf in '{ type filter hook input priority 0; }' && "
        "nft add rule ip6 deaf in icmpv6 type echo-request drop");
    ASSERT_TRUE(eventually([&] { return !distanceOf(*node1_); }));
    const uint64_t far_before = packetsTo(2);
    beginFlows();
    EXPECT_GE(packetsTo(2), far_before + 8ull * 3);
    const uint64_t far_after = packetsTo(2);
    EXPECT_EQ(echo(lasting.get(), "after"), "after");
    EXPECT_EQ(packetsTo(2), far_after) << "a flow that lives has moved";
}

}  // namespace
}  // namespace homeslice::mobility
