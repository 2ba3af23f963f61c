#include "noded/mobility/binding_exchange.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace homeslice::mobility {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class BindingExchangeTest : public ::testing::Test {
protected:
    bool acknowledge(uint16_t sequence, BindingStatus status, uint32_t lifetime_s = 40) {
        return exchange_.acknowledged({.key = {},
                                       .sequence = sequence,
                                       .status = status,
                                       .lifetime_s = lifetime_s,
                                       .refresh_s = lifetime_s / 2,
                                       .generation = 1},
                                      now_);
    }

    BindingExchange exchange_;
    Monotonic::time_point now_{seconds(1000)};
};

TEST_F(BindingExchangeTest, RetransmitsFromOneAndAHalfTo32Seconds) {
    exchange_.restart(now_);
    EXPECT_EQ(exchange_.due(), now_);
    for (const int wait : {1500, 3000, 6000, 12000, 24000, 32000, 32000}) {
        exchange_.sent(now_);
        EXPECT_EQ(exchange_.due(), now_ + milliseconds(wait));
        now_ = exchange_.due();
    }
}

TEST_F(BindingExchangeTest, OnceRegisteredItRepeatsAfterASecond) {
    exchange_.restart(now_);
    EXPECT_TRUE(acknowledge(exchange_.sent(now_), BindingStatus::accepted));
    exchange_.restart(now_);
    exchange_.sent(now_);
    EXPECT_EQ(exchange_.due(), now_ + seconds(1));
}

TEST_F(BindingExchangeTest, RefreshesWhenAdvised) {
    exchange_.restart(now_);
    const uint16_t sequence = exchange_.sent(now_);
    EXPECT_TRUE(acknowledge(sequence, BindingStatus::accepted));
    EXPECT_EQ(exchange_.due(), now_ + seconds(20));
    EXPECT_TRUE(exchange_.isRegistered(now_ + seconds(39)));
    EXPECT_FALSE(exchange_.isRegistered(now_ + seconds(40)));
}

// The registration is answered just when it is given up: the farewell still has to go out.
TEST_F(BindingExchangeTest, NothingIsAnsweredBeforeItWasSaid) {
    exchange_.restart(now_);
    const uint16_t registration = exchange_.sent(now_);
    exchange_.restart(now_);
    EXPECT_FALSE(acknowledge(registration, BindingStatus::accepted));
    EXPECT_FALSE(exchange_.answered());
    EXPECT_EQ(exchange_.due(), now_);
}

TEST_F(BindingExchangeTest, IgnoresAnswersToEarlierUpdates) {
    exchange_.restart(now_);
    const uint16_t first = exchange_.sent(now_);
    exchange_.restart(now_);
    exchange_.sent(now_);
    EXPECT_FALSE(acknowledge(first, BindingStatus::accepted));
    EXPECT_FALSE(exchange_.answered());
}

TEST_F(BindingExchangeTest, TakesTheSequenceUpThatTheHomeAgentRemembers) {
    exchange_.restart(now_);
    exchange_.sent(now_);
    EXPECT_TRUE(acknowledge(4711, BindingStatus::sequence_out_of_window));
    EXPECT_EQ(exchange_.due(), now_);
    EXPECT_EQ(exchange_.sent(now_), 4712);
    EXPECT_TRUE(acknowledge(5000, BindingStatus::sequence_out_of_window));
    EXPECT_GT(exchange_.due(), now_);  // no ping-pong
}

TEST_F(BindingExchangeTest, StaleGenerationIsFinalOtherRefusalsAreTriedAgain) {
    exchange_.restart(now_);
    EXPECT_TRUE(acknowledge(exchange_.sent(now_), BindingStatus::not_home_subnet));
    EXPECT_EQ(exchange_.due(), now_ + milliseconds(1500));
    EXPECT_TRUE(acknowledge(exchange_.sent(now_), BindingStatus::generation_stale));
    EXPECT_TRUE(exchange_.isFinal());
    EXPECT_EQ(exchange_.due(), Monotonic::time_point::max());
}

// RFC 6275 6.1.8 and the IANA registry "Status Codes" of Mobile IPv6; the last is ours.
TEST(BindingStatusTest, IsNumberedAndNamedAsInTheRfcs) {
    const std::vector<std::pair<int, std::string>> registry = {{0, "Binding Update accepted"},
                                                               {128, "Reason unspecified"},
                                                               {129, "Administratively prohibited"},
                                                               {130, "Insufficient resources"},
                                                               {132, "Not home subnet"},
                                                               {133, "Not home agent for this mobile node"},
                                                               {134, "Duplicate Address Detection failed"},
                                                               {135, "Sequence number out of window"},
                                                               {240, "Generation stale"}};
    for (const auto& [number, name] : registry) EXPECT_EQ(nameOf(static_cast<BindingStatus>(number)), name) << number;
}

}  // namespace
}  // namespace homeslice::mobility
