// A plain host on the home link, which takes the home prefix for on-link, and the home agent that answers for the
// addresses that are bound.
#include "noded/mobility/home_neighbours.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "noded/mobility/fake_forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/test_network.h"
#include "tests/support/privileges.h"

namespace homeslice::mobility {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

const std::string kHomePrefix = "fd51:1ce::/48";
const Ipv6Address kHome = address("fd51:1ce:0:1::1:1");
const Ipv6Address kTaken = address("fd51:1ce:0:1::1:2");
const Ipv6Address kNode = address("fd00:51ce::1");

class HomeNeighboursTest : public ::testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        agent_.makeRouter();
        agent_.connect("eth0", agent_mac_, client_, "eth0", sys::randomMac(), 1500);
        agent_.addAddress("eth0", "fd00:51ce::a0a0", 64);
        client_.addAddress("eth0", "fd00:51ce::cccc", 64);
        EXPECT_EQ(client_.netlink().addRoute(prefix(kHomePrefix), client_.index("eth0"), std::nullopt),
                  absl::OkStatus());
        // A link that has just come up drops for a while.
        ASSERT_TRUE(eventually([&] { return resolve(address("fd00:51ce::a0a0")) == agentMac(); }));
        agent_.run([&] {
            auto opened = HomeNeighbours::open("eth0");
            ASSERT_TRUE(opened.ok()) << opened.status();
            neighbours_ = std::move(*opened);
        });
        home_agent_ = HomeAgent::create({}, forwarder_, neighbours_.get());
        home_agent_->setHomePrefix(prefix(kHomePrefix));
        home_agent_->setRole({.in_charge = true, .term = 1});
    }
    // As a gateway does: repeats the update while there is no answer.
    BindingStatus bind(const Ipv6Address& home, uint64_t generation = 1, uint32_t lifetime_s = 40) {
        BindingUpdate update{.key = {.home_address = home, .binding_id = 0},
                             .care_of_address = kNode,
                             .generation = generation,
                             .lifetime_s = lifetime_s};
        EXPECT_TRUE(eventually([&] {
            ++update.sequence;
            return !home_agent_->postpones(kNode, update);
        }));
        return home_agent_->update(kNode, update).status;
    }
    // The link-layer address that the client has found for `target`, after it sent something there; empty when none.
    std::string resolve(const Ipv6Address& target) {
        std::string found;
        client_.run([&] {
            const UniqueFd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            sockaddr_in6 to{};
            to.sin6_family = AF_INET6;
            to.sin6_port = htons(9);
            to.sin6_addr = target.toIn6();
            ::sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
            FILE* const entries = ::popen(("ip -6 neigh show " + target.toString()).c_str(), "r");
            std::string text(1024, '\0');
            text.resize(::fread(text.data(), 1, text.size(), entries));
            ::pclose(entries);
            const size_t at = text.find("lladdr ");
            if (at != std::string::npos) found = text.substr(at + std::strlen("lladdr "), 17);
        });
        return found;
    }
    std::string agentMac() const {
        std::string text;
        for (const uint8_t byte : agent_mac_) {
            char hex[4];
            std::snprintf(hex, sizeof hex, "%02x:", byte);
            text += hex;
        }
        text.pop_back();
        return text;
    }

    const sys::MacAddress agent_mac_ = sys::randomMac();
    TestHost agent_;
    TestHost client_;
    FakeForwarder forwarder_;
    std::unique_ptr<HomeNeighbours> neighbours_;
    std::unique_ptr<HomeAgent> home_agent_;
};

TEST_F(HomeNeighboursTest, AnswersForBoundAddressesOnly) {
    EXPECT_EQ(resolve(kHome), "");
    EXPECT_EQ(bind(kHome), BindingStatus::accepted);
    EXPECT_TRUE(eventually([&] { return resolve(kHome) == agentMac(); })) << "the home agent does not answer";
    EXPECT_EQ(resolve(kTaken), "");
    EXPECT_EQ(bind(kHome, 2, 0), BindingStatus::accepted);
    client_.run([&] { EXPECT_EQ(std::system("ip -6 neigh flush dev eth0"), 0); });
    std::this_thread::sleep_for(milliseconds(300));  // nothing is to happen
    EXPECT_EQ(resolve(kHome), "") << "still answers for an address that was given up";
}

TEST_F(HomeNeighboursTest, AnAddressThatAHostHasIsRefused) {
    client_.addAddress("eth0", kTaken.toString(), 128);
    // The kernel listens for solicitations a moment later.
    client_.run([] {
        EXPECT_TRUE(eventually([] { return std::system("ip -6 maddr show dev eth0 | grep -q ff02::1:ff01:2") == 0; }));
    });
    const auto before = steady_clock::now();
    EXPECT_EQ(bind(kTaken), BindingStatus::duplicate_address_detection_failed);
    EXPECT_EQ(bind(kHome), BindingStatus::accepted);
    EXPECT_GE(steady_clock::now() - before, milliseconds(1000)) << "who is asked gets a second to answer";
    // One that is bound already is not asked for again, whoever claims it.
    client_.addAddress("eth0", kHome.toString(), 128);
    EXPECT_EQ(bind(kHome, 2), BindingStatus::accepted);
}

TEST_F(HomeNeighboursTest, ABoundAddressIsDefended) {
    EXPECT_EQ(bind(kHome), BindingStatus::accepted);
    client_.run([&] {
        EXPECT_EQ(std::system(("ip -6 addr add " + kHome.toString() + "/128 dev eth0").c_str()), 0);
        EXPECT_TRUE(eventually([] { return std::system("ip -6 addr show dev eth0 | grep -q dadfailed") == 0; }))
            << "a host took an address that is bound";
    });
}

TEST_F(HomeNeighboursTest, TakingChargeTellsTheNeighbours) {
    home_agent_->setRole({.in_charge = false, .term = 2});
    EXPECT_EQ(bind(kHome), BindingStatus::accepted);
    // The client believes that another home agent has it.
    client_.run([&] {
        EXPECT_EQ(
            std::system(
                ("ip -6 neigh replace " + kHome.toString() + " lladdr 02:00:00:00:00:99 nud stale dev eth0").c_str()),
            0);
    });
    EXPECT_TRUE(eventually([&] {
        home_agent_->setRole({.in_charge = false, .term = 2});
        home_agent_->setRole({.in_charge = true, .term = 3});
        return resolve(kHome) == agentMac();
    })) << "no override neighbour advertisement";
}

}  // namespace
}  // namespace homeslice::mobility
