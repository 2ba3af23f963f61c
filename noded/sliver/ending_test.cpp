#include "noded/sliver/ending.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace homeslice::sliver {
namespace {

TEST(Ending, ACommandThatEndedHasExited) {
    const Verdict well = judge({.command_status = 0}, {});
    EXPECT_EQ(well.state, State::exited);
    EXPECT_EQ(well.reason, "");
    const Verdict badly = judge({.command_status = 3, .wait_status = 0}, {});
    EXPECT_EQ(badly.state, State::exited);
    EXPECT_EQ(badly.exit_status, 3);
    EXPECT_NE(badly.reason.find("status 3"), std::string::npos);
    EXPECT_NE(judge({.command_status = 143}, {}).reason.find("signal 15"), std::string::npos);
}

TEST(Ending, AKilledInitIsAFailure) {
    const Verdict killed = judge({.wait_status = SIGKILL}, {});
    EXPECT_EQ(killed.state, State::failed);
    EXPECT_EQ(killed.exit_status, 137);
    EXPECT_NE(killed.reason.find("signal 9"), std::string::npos);
    EXPECT_EQ(judge({}, {}).state, State::failed);
}

TEST(Ending, TheMemoryLimitIsNamed) {
    const Verdict verdict = judge({.command_status = 137, .oom_kills = 1}, {.memory_bytes = 1048576});
    EXPECT_NE(verdict.reason.find("out of memory"), std::string::npos);
    EXPECT_NE(verdict.reason.find("1048576"), std::string::npos);
    EXPECT_EQ(judge({.command_status = 0, .oom_kills = 1}, {}).reason, "");
}

}  // namespace
}  // namespace homeslice::sliver
