// Two home agents for one prefix: one is in charge, the other takes over when it is killed or cut off, also without a
// controller. What a client has open goes on.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/e2e/home_agent_fixture.h"

namespace homeslice::testing_support {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// TCP repeats at growing intervals what was lost meanwhile.
constexpr milliseconds kEchoBound{4000};

// The time that counts, of which a machine whose processors are elsewhere may rob some takeovers, but not so many in a
// row. Each one has the fixture's bound.
constexpr milliseconds kTakeover{1000};
constexpr int kTries = 4;

class TakeoverTimeTest : public HomeAgentTest {
protected:
    void expectWithinASecond(End end) {
        EchoStream stream(startEcho());
        expectGoesOn(stream, "before");
        milliseconds least = milliseconds::max();
        for (int i = 0; i < kTries && least >= kTakeover && !HasFailure(); ++i) {
            const std::string first = holders().at(0);
            least = std::min(least, endAndExpectTakeover(first, end));
            expectGoesOn(stream, "after the takeover");
            bringBack(first, end);
        }
        EXPECT_LT(least, kTakeover);
        expectGoesOn(stream, "with both again");
        EXPECT_LT(stream.longest(), kEchoBound);
    }
};

TEST_F(TakeoverTimeTest, AfterAKill) { expectWithinASecond(End::killed); }
TEST_F(TakeoverTimeTest, AfterACutLink) { expectWithinASecond(End::cut_off); }

TEST_F(HomeAgentTest, TakeoverAfterAKillWithoutAController) {
    const std::string address = startEcho();
    const std::string first = holders().at(0);
    EchoStream stream(address);
    expectGoesOn(stream, "before");
    killProgram("sliced");
    endAndExpectTakeover(first, End::killed);
    expectGoesOn(stream, "after the takeover");
    // The dead one's kernel gives the address up by itself, and the stream does not mind.
    EXPECT_TRUE(eventually([&] { return !holds(first); })) << "two hold the address for good";
    expectGoesOn(stream, "after the lease of the dead one");
    std::printf("longest echo over TCP: %d ms\n", static_cast<int>(stream.longest().count()));
    stream.stop();

    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    const auto inCharge = [] {
        std::vector<std::string> names;
        for (const auto& binding : slicectlJson({"home", "ls"}))
            if (binding.value("in_charge", false) && binding.value("binding_id", 1) == 0)
                names.push_back(binding.value("home_agent", ""));
        return names;
    };
    EXPECT_TRUE(eventually([&] { return inCharge() == std::vector<std::string>{otherThan(first)}; }))
        << "one that returns stands by";
}

// Nodes ask for 40 seconds, and get no more: without a refresh nothing would be left.
TEST_F(HomeAgentTest, BindingsOutliveTheirLifetimeWithoutAController) {
    constexpr std::chrono::seconds kLongerThanALifetime{45};
    const std::string address = startEcho();
    const std::string first = holders().at(0);
    killProgram("sliced");
    const auto killed = std::chrono::steady_clock::now();
    EchoStream stream(address);
    const auto isOver = [&] { return std::chrono::steady_clock::now() > killed + kLongerThanALifetime; };
    EXPECT_TRUE(eventually([&] { return isOver() || stream.broken(); }, 2 * kLongerThanALifetime));
    expectGoesOn(stream, "after the lifetime");
    // At the other one too.
    endAndExpectTakeover(first, End::killed);
    expectGoesOn(stream, "at the home agent that stood by");
    EXPECT_TRUE(EchoStream(address).connected());
}

TEST_F(HomeAgentTest, TakeoverAfterACutLinkAndNoSecondOneAfterwards) {
    const std::string address = startEcho();
    const std::string first = holders().at(0);
    EchoStream stream(address);
    expectGoesOn(stream, "before");
    endAndExpectTakeover(first, End::cut_off);
    expectGoesOn(stream, "after the takeover");
    setLink(first, "up");
    EXPECT_TRUE(eventually([&] { return !holds(first); })) << "two in charge after the link is back";
    EXPECT_TRUE(holds(otherThan(first)));
    expectGoesOn(stream, "after the link is back");
    std::printf("longest echo over TCP, retransmission and all: %d ms\n", static_cast<int>(stream.longest().count()));
    EXPECT_LT(stream.longest(), kEchoBound);
    EXPECT_THAT(slicectl({"home", "show", "echo/1"}).out, HasSubstr("active"));
}

}  // namespace
}  // namespace homeslice::testing_support
