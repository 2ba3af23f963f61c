// Two home agents' duties over real links: who holds the shared address, and what a neighbour on the link learns.
#include "noded/mobility/home_agent_group.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

#include "noded/mobility/fake_forwarder.h"
#include "noded/mobility/home_agent_duty.h"
#include "noded/mobility/test_network.h"
#include "tests/support/privileges.h"

namespace homeslice::mobility {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr uint16_t kPort = 7401;
const Ipv6Prefix kHomePrefix = prefix("fd51:1ce::/48");
const Ipv6Address kShared = address("fd00:51ce::a000");

// A home agent with nothing behind it.
class Agent {
public:
    explicit Agent(const Ipv6Address& self) : self_(self), bindings_(HomeAgent::create({}, forwarder_)) {
        bindings_->watch([this](const BindingEvent& event) {
            if (event.kind != BindingEvent::Kind::role) return;
            const std::lock_guard lock(mutex_);
            role_ = event.role;
        });
    }
    void join(uint8_t priority, const std::vector<Ipv6Address>& members) {
        host.run([&] {
            auto started = HomeAgentDuty::start({.link = "eth0",
                                                 .self = self_,
                                                 .port = kPort,
                                                 .shared_address = kShared,
                                                 .priority = priority,
                                                 .interval = milliseconds(150)},
                                                forwarder_, *bindings_);
            ASSERT_TRUE(started.ok()) << started.status();
            duty_ = std::move(*started);
            duty_->setMembers(kHomePrefix, members);
        });
    }
    HomeAgentRole role() {
        const std::lock_guard lock(mutex_);
        return role_;
    }
    bool inCharge() { return role().in_charge; }
    bool holdsSharedAddress() const {
        bool result = false;
        host.run([&] {
            result = std::system(("ip -6 addr show dev eth0 | grep -q '" + kShared.toString() + "/128'").c_str()) == 0;
        });
        return result;
    }

    void end() {
        host.run([this] { duty_.reset(); });
    }

    TestHost host;

private:
    const Ipv6Address self_;
    FakeForwarder forwarder_;
    std::mutex mutex_;
    HomeAgentRole role_;
    std::unique_ptr<HomeAgent> bindings_;
    std::unique_ptr<HomeAgentDuty> duty_;  // uses all of the above
};

// Both on one link with a client: a bridge in a host of its own.
class HomeAgentGroupTest : public ::testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        switch_.run([] { EXPECT_EQ(std::system("ip link add br0 type bridge && ip link set br0 up"), 0); });
        plug(first_.host, "first", "fd00:51ce::a0a0");
        plug(second_.host, "second", "fd00:51ce::a0a1");
        plug(client_, "client", "fd00:51ce::cccc");
        first_.join(200, members_);
        second_.join(100, members_);
        ASSERT_TRUE(eventually([&] { return first_.inCharge() && first_.holdsSharedAddress(); }));
        EXPECT_FALSE(second_.inCharge());
        EXPECT_FALSE(second_.holdsSharedAddress());
    }
    void plug(TestHost& host, const std::string& name, const std::string& text) {
        switch_.connect(name, sys::randomMac(), host, "eth0", sys::randomMac(), 1500);
        switch_.run([&] { EXPECT_EQ(std::system(("ip link set " + name + " master br0").c_str()), 0); });
        host.addAddress("eth0", text, 64);
    }
    void setLink(const std::string& name, const std::string& state) {
        switch_.run([&] { EXPECT_EQ(std::system(("ip link set " + name + " " + state).c_str()), 0); });
    }
    bool clientReachesSharedAddress() {
        int status = -1;
        client_.run(
            [&] { status = std::system(("ping -6 -c 1 -W 1 -q " + kShared.toString() + " > /dev/null").c_str()); });
        return status == 0;
    }

    const std::vector<Ipv6Address> members_{address("fd00:51ce::a0a0"), address("fd00:51ce::a0a1")};
    TestHost switch_;
    TestHost client_;
    Agent first_{members_[0]};
    Agent second_{members_[1]};
};

TEST_F(HomeAgentGroupTest, ACutLinkIsTakenOverAndNeighboursAreTold) {
    ASSERT_TRUE(eventually([&] { return clientReachesSharedAddress(); }));
    const auto cut = steady_clock::now();
    setLink("first", "down");
    ASSERT_TRUE(eventually([&] { return second_.inCharge(); }));
    const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - cut);
    std::printf("takeover after a cut link: %d ms\n", static_cast<int>(took.count()));
    EXPECT_LT(took, milliseconds(2000)) << "a second, on a machine with time to spare";
    EXPECT_GT(second_.role().term, first_.role().term);
    EXPECT_TRUE(clientReachesSharedAddress()) << "the neighbour was not told";
    setLink("first", "up");
    EXPECT_TRUE(eventually([&] { return !first_.inCharge() && !first_.holdsSharedAddress(); })) << "two in charge";
    EXPECT_TRUE(second_.inCharge());
}

TEST_F(HomeAgentGroupTest, OneThatEndsLeavesToTheOther) {
    const auto ended = steady_clock::now();
    first_.end();
    ASSERT_TRUE(eventually([&] { return second_.inCharge() && second_.holdsSharedAddress(); }));
    std::printf("takeover after an orderly end: %d ms\n",
                static_cast<int>(std::chrono::duration_cast<milliseconds>(steady_clock::now() - ended).count()));
    EXPECT_FALSE(first_.holdsSharedAddress());
}

TEST_F(HomeAgentGroupTest, StrangersAreNotHeard) {
    TestHost stranger;
    plug(stranger, "stranger", "fd00:51ce::bad");
    const uint64_t term = first_.role().term;
    stranger.run([&] {
        auto group = HomeAgentGroup::start(
            {.self = address("fd00:51ce::bad"), .port = kPort, .priority = 254, .interval = milliseconds(150)},
            [](const HomeAgentRole&) {});
        ASSERT_TRUE(group.ok()) << group.status();
        (*group)->setMembers(kHomePrefix, members_);
        // It hears nobody, so it claims the prefix, with a greater priority.
        std::this_thread::sleep_for(milliseconds(1500));
    });
    EXPECT_TRUE(first_.inCharge());
    EXPECT_EQ(first_.role().term, term);
}

}  // namespace
}  // namespace homeslice::mobility
