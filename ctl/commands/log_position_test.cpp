#include "ctl/commands/log_position.h"

#include <gtest/gtest.h>

namespace homeslice::ctl {
namespace {

std::string record(int microsecond, const std::string& text) {
    char time[64];
    std::snprintf(time, sizeof(time), "2026-01-02T03:04:05.%06d001Z", microsecond);
    return std::string(time) + " stdout F " + text;
}

TEST(LogPosition, GoesOnWhereItWas) {
    LogPosition position;
    EXPECT_FALSE(position.begun());
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(position.take(record(i, "x")));
    EXPECT_TRUE(position.begun());
    EXPECT_EQ(position.sinceUs(), 1'767'323'045'000'004);
    position.reconnect();
    for (int i = 3; i < 5; ++i) EXPECT_FALSE(position.take(record(i, "x"))) << i;
    EXPECT_TRUE(position.take(record(5, "x")));
    EXPECT_TRUE(position.take(record(4, "x"))) << "the clock was set back";
}

TEST(LogPosition, KnowsRecordsOfOneTimeByTheirNumber) {
    LogPosition position;
    for (const char* text : {"a", "a"}) EXPECT_TRUE(position.take(record(1, text)));
    for (int round = 0; round < 2; ++round) {
        position.reconnect();
        EXPECT_FALSE(position.take(record(1, "a")));
        EXPECT_FALSE(position.take(record(1, "a")));
    }
    EXPECT_TRUE(position.take(record(1, "b")));
    EXPECT_TRUE(position.take(record(2, "c")));
}

TEST(LogPosition, PassesWhatTellsNoTime) {
    LogPosition position;
    EXPECT_TRUE(position.take("odd"));
    EXPECT_FALSE(position.begun());
    position.reconnect();
    EXPECT_TRUE(position.take("odd")) << "nothing is known to have been seen";
    EXPECT_TRUE(position.take(record(1, "x")));
    position.reconnect();
    EXPECT_FALSE(position.take("odd"));
    EXPECT_FALSE(position.take(record(1, "x")));
    EXPECT_TRUE(position.take(record(2, "x")));
}

}  // namespace
}  // namespace homeslice::ctl
