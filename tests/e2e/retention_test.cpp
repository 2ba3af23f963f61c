// How long nodes remember who sent what: noded --keep-flows, from the packet to the answer that nothing is known.
#include <gmock/gmock.h>

#include <chrono>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr std::chrono::seconds kKept{12};
constexpr std::chrono::seconds kUntilGone{60};
const std::string kPeer = "fd00:51ce::cccc";
const std::string kLaterPeer = "fd00:51ce::cc05";  // nobody

class RetentionTest : public LabTest {
protected:
    void start() {
        HS_EXPECT_DONE(createSlice("noisy", {"--on", "node1"}));
        address_ = homeAddress("noisy/1");
    }
    // Whether anybody answers or not.
    static void send(const std::string& peer) {
        slicectl({"exec", "noisy/1", "--", "ping", "-c", "1", "-W", "1", peer});
    }
    CommandResult ask(const std::string& peer) const {
        return slicectl({"audit", "--address", address_, "--at", "1s", "--within", "10m", "--peer", peer});
    }
    bool knows(const std::string& peer) const {
        const CommandResult answer = ask(peer);
        return answer.status == 0 && answer.out.find("noisy/1") != std::string::npos;
    }

    std::string address_;
};

class ShortRetentionTest : public RetentionTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "1", "--keep-flows", std::to_string(kKept.count()) + "s"}); }
};

TEST_F(ShortRetentionTest, RecordsGoWhenTheirTimeIsOver) {
    start();
    const auto before = steady_clock::now();
    send(kPeer);
    EXPECT_TRUE(knows(kPeer));
    EXPECT_TRUE(eventually([&] { return ask(kPeer).status == 3; }, kUntilGone)) << ask(kPeer).out;
    EXPECT_GE(steady_clock::now() - before, kKept) << "gone too early";
    EXPECT_THAT(ask(kPeer).err, HasSubstr("nothing was sent from " + address_));
    send(kPeer);
    EXPECT_TRUE(knows(kPeer)) << "what is new";
}

class LongRetentionTest : public RetentionTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "1", "--keep-flows", "1h"}); }
};

// The first thing that a noded does with its log is to drop what is old; when it knows of the later one it has done so.
TEST_F(LongRetentionTest, RecordsOutliveTheirNoded) {
    start();
    send(kPeer);
    EXPECT_TRUE(knows(kPeer));
    HS_EXPECT_DONE(slicectl({"lab", "restart", "node1"}));
    send(kLaterPeer);
    EXPECT_TRUE(eventually([&] { return knows(kLaterPeer); })) << ask(kLaterPeer).err;
    EXPECT_TRUE(knows(kPeer)) << ask(kPeer).err;
}

}  // namespace
}  // namespace homeslice::testing_support
