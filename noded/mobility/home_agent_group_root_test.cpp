// Two home agents' duties over real links: who holds the shared address, and what a neighbour on the link learns.
#include "noded/mobility/home_agent_group.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

#include "noded/mobility/advertisement_message.h"
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
const std::string kKey = "what the controller told them";
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
            duty_->setMembers(kHomePrefix, members, kKey);
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

    uint64_t refused() { return duty_->refusedAdvertisements(); }
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

// Ethernet, IPv6 and UDP around an advertisement.
constexpr size_t kAdvertisementFrame = 14 + 40 + 8 + kAdvertisementSize;

// The switch's end of a host's link, to look at what goes to the host, and to send it more.
class FrameSocket {
public:
    FrameSocket(TestHost& host, const std::string& link) {
        const int index = host.index(link);
        host.run([&] {
            fd_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
            sockaddr_ll name{};
            name.sll_family = AF_PACKET;
            name.sll_protocol = htons(ETH_P_ALL);
            name.sll_ifindex = index;
            EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0) << errno;
        });
        const timeval limit{.tv_sec = 10, .tv_usec = 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    // The next ones of this length that go to the host.
    std::vector<std::string> take(size_t length, size_t count) const {
        std::vector<std::string> frames;
        std::array<char, 2048> buffer{};
        while (frames.size() < count) {
            sockaddr_ll from{};
            socklen_t size = sizeof from;
            const ssize_t got =
                ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
            if (got < 0) break;
            if (from.sll_pkttype == PACKET_OUTGOING && static_cast<size_t>(got) == length)
                frames.emplace_back(buffer.data(), length);
        }
        return frames;
    }
    void put(const std::string& frame) const {
        EXPECT_EQ(::send(fd_.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size())) << errno;
    }

private:
    UniqueFd fd_;
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
        host.shell("ethtool -K eth0 tx off");  // whole checksums, also in what is played back
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

// Somebody at the standby's own address, with a greater priority, but without the key.
TEST_F(HomeAgentGroupTest, ForgedAdvertisementsChangeNothing) {
    const HomeAgentRole before = first_.role();
    second_.end();
    second_.host.run([&] {
        auto forger =
            HomeAgentGroup::start({.self = members_[1], .port = kPort, .priority = 254, .interval = milliseconds(50)},
                                  [](const HomeAgentRole&) {});
        ASSERT_TRUE(forger.ok()) << forger.status();
        (*forger)->setMembers(kHomePrefix, members_, "a guess");
        EXPECT_TRUE(eventually([&] { return first_.refused() >= 20; }));
        EXPECT_GE((*forger)->refused(), 1u) << "nor does it understand the others";
    });
    EXPECT_EQ(first_.role(), before);
    EXPECT_TRUE(first_.holdsSharedAddress());
}

// What the one in charge said is played back to the standby when it is gone, to keep it from taking over.
TEST_F(HomeAgentGroupTest, AdvertisementsPlayedBackChangeNothing) {
    FrameSocket wire(switch_, "second");
    const std::vector<std::string> taken = wire.take(kAdvertisementFrame, 8);
    ASSERT_EQ(taken.size(), 8u);
    setLink("first", "down");
    ASSERT_TRUE(eventually([&] {
        for (const std::string& frame : taken) wire.put(frame);
        return second_.inCharge();
    }));
    EXPECT_GE(second_.refused(), taken.size());

    // To one that has begun anew they are as void: it remembers nothing of them, and they know nothing of it.
    second_.end();
    second_.join(100, members_);
    ASSERT_TRUE(eventually([&] {
        for (const std::string& frame : taken) wire.put(frame);
        return second_.inCharge();
    }));
}

TEST_F(HomeAgentGroupTest, OneThatBeginsAnewHearsAndIsHeard) {
    const auto agree = [this] {
        return first_.role().term == second_.role().term && first_.inCharge() != second_.inCharge();
    };
    second_.end();
    second_.join(250, members_);
    EXPECT_TRUE(eventually(agree)) << "it does not hear the one in charge";
    first_.end();
    first_.join(200, members_);
    EXPECT_TRUE(eventually(agree)) << "the other does not hear it";
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
        (*group)->setMembers(kHomePrefix, members_, kKey);
        // It hears nobody, so it claims the prefix, with a greater priority.
        std::this_thread::sleep_for(milliseconds(1500));
    });
    EXPECT_TRUE(first_.inCharge());
    EXPECT_EQ(first_.role().term, term);
}

}  // namespace
}  // namespace homeslice::mobility
