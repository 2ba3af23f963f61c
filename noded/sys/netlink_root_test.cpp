// In network namespaces of the test's own thread.
#include "noded/sys/netlink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <future>

#include "base/file.h"
#include "tests/support/privileges.h"

namespace homeslice::sys {
namespace {

constexpr MacAddress kHostMac{0x02, 0, 0, 0, 0, 1};
constexpr MacAddress kPeerMac{0x02, 0, 0, 0, 0, 2};

// An open network namespace; it goes with its last descriptor.
UniqueFd newNetworkNamespace() {
    return std::async(std::launch::async,
                      [] {
                          EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
                          return openFile("/proc/thread-self/ns/net", O_RDONLY).value_or(UniqueFd());
                      })
        .get();
}

Ipv6Address address(const char* text) { return *Ipv6Address::parse(text); }
Ipv6Prefix prefix(const char* text) { return *Ipv6Prefix::parse(text); }

class NetlinkTest : public ::testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        here_ = newNetworkNamespace();
        there_ = newNetworkNamespace();
        ASSERT_TRUE(here_.valid() && there_.valid());
    }

    VethPair pair() const {
        return {.name = "host0",
                .mac = kHostMac,
                .peer_name = "eth0",
                .peer_mac = kPeerMac,
                .peer_netns_fd = there_.get(),
                .mtu = 1460};
    }

    UniqueFd here_;
    UniqueFd there_;
};

TEST_F(NetlinkTest, VethPairReachesTheOtherNamespace) {
    auto here = Netlink::openIn(here_.get());
    auto there = Netlink::openIn(there_.get());
    ASSERT_TRUE(here.ok() && there.ok());
    ASSERT_TRUE(here->addVeth(pair()).ok());
    EXPECT_EQ(here->addVeth(pair()).code(), absl::StatusCode::kAlreadyExists);

    const auto host = here->link("host0");
    const auto peer = there->link("eth0");
    ASSERT_TRUE(host.ok()) << host.status();
    ASSERT_TRUE(peer.ok()) << peer.status();
    EXPECT_EQ(host->mac, kHostMac);
    EXPECT_EQ(peer->mac, kPeerMac);
    EXPECT_EQ(host->mtu, 1460u);
    EXPECT_EQ(peer->mtu, 1460u);
    EXPECT_FALSE(host->up);
    EXPECT_EQ(*here->index("host0"), host->index);
    EXPECT_EQ(*there->index("eth0"), peer->index);
    EXPECT_TRUE(absl::IsNotFound(there->index("host0").status()));
    EXPECT_TRUE(absl::IsNotFound(there->index("a-name-that-is-too-long-for-a-link").status()));
    EXPECT_TRUE(here->setUp(host->index).ok());
    EXPECT_TRUE(here->link("host0")->up);

    EXPECT_TRUE(here->deleteLink("host0").ok());
    EXPECT_TRUE(here->deleteLink("host0").ok());
    EXPECT_EQ(there->link("eth0").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(NetlinkTest, AddingTwiceAndDeletingWhatIsGoneIsFine) {
    auto netlink = Netlink::openIn(here_.get());
    ASSERT_TRUE(netlink.ok());
    ASSERT_TRUE(netlink->addVeth(pair()).ok());
    const int index = netlink->link("host0")->index;
    ASSERT_TRUE(netlink->setUp(index).ok());
    const RoutingRule rule{
        .priority = 100, .table = 4853, .mark = 0x4853, .destination = prefix("fd51:1ce::/48"), .input_link = "lo"};
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(netlink->addAddress(index, address("fd00::1"), 64), absl::OkStatus());
        EXPECT_EQ(netlink->addAddress(index, address("fd00::3"), 64, true), absl::OkStatus());
        EXPECT_EQ(netlink->addNeighbour(index, address("fd00::2"), kPeerMac), absl::OkStatus());
        EXPECT_EQ(netlink->addRoute(prefix("fd51:1ce::1/128"), index, std::nullopt), absl::OkStatus());
        EXPECT_EQ(netlink->addRoute(prefix("::/0"), index, address("fd00::2"), 1460, true), absl::OkStatus());
        EXPECT_EQ(netlink->addRoute(prefix("::/0"), index, address("100::1"), 1460, true, 4853, true),
                  absl::OkStatus());
        EXPECT_EQ(netlink->addUnreachable(prefix("fd51:1ce::/48"), 4096), absl::OkStatus());
        EXPECT_EQ(netlink->addRule(rule), absl::OkStatus());
    }
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(netlink->deleteRule(rule), absl::OkStatus());
        EXPECT_EQ(netlink->deleteRoute(prefix("::/0"), 4853), absl::OkStatus());
        EXPECT_EQ(netlink->deleteRoute(prefix("fd51:1ce::/48")), absl::OkStatus());
        EXPECT_EQ(netlink->deleteRoute(prefix("fd51:1ce::1/128")), absl::OkStatus());
    }
}

TEST_F(NetlinkTest, MissingLinksAreErrors) {
    auto netlink = Netlink::openIn(here_.get());
    ASSERT_TRUE(netlink.ok());
    EXPECT_FALSE(netlink->setUp(4711).ok());
    EXPECT_FALSE(netlink->addAddress(4711, address("fd00::1"), 64).ok());
    EXPECT_FALSE(Netlink::openIn(-1).ok());
}

TEST(RandomMacTest, IsLocalUnicastAndRandom) {
    const MacAddress mac = randomMac();
    EXPECT_EQ(mac[0] & 0x03, 0x02);
    EXPECT_NE(mac, randomMac());
}

}  // namespace
}  // namespace homeslice::sys
