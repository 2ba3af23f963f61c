// The lab itself: it comes up, refuses a second one, and goes without a trace, whatever happened to it.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

// Each test brings its own lab up.
class LabLifeTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_EQ(slicectl({"lab", "status"}).status, 3) << "a lab is up, which these tests would take down";
        before_ = takeHostSnapshot();
        may_take_down_ = true;
    }
    void TearDown() override {
        if (may_take_down_) HS_EXPECT_DONE(slicectl({"lab", "down"}));
    }

    void expectDownLeavesNothing() {
        HS_EXPECT_DONE(slicectl({"lab", "down"}));
        EXPECT_EQ(awaitNoLeftovers(before_), "");
    }

    HostSnapshot before_;
    bool may_take_down_ = false;
};

void startSlivers() {
    HS_EXPECT_DONE(buildBusybox());
    HS_EXPECT_DONE(slicectl({"slice", "create", "web", "--image", "busybox", "--nodes", "2", "--slivers", "4"}));
}

void killEveryProgram() {
    for (const auto& program : labPrograms()) {
        EXPECT_EQ(::kill(program.at("pid").get<pid_t>(), SIGKILL), 0) << program;
    }
}

TEST_F(LabLifeTest, ShowsWhatRuns) {
    HS_EXPECT_DONE(slicectl({"lab", "up", "--nodes", "2"}));
    const auto status = slicectlJson({"lab", "status"});
    EXPECT_EQ(status.value("phase", ""), "up");
    EXPECT_EQ(status.value("nodes", 0), 2);
    ASSERT_EQ(status.at("programs").size(), 4U) << "sliced, the home agent and two nodes";
    for (const auto& program : status.at("programs")) {
        EXPECT_TRUE(program.value("alive", false)) << program;
        EXPECT_TRUE(std::ifstream(program.value("log", "")).good()) << program;
    }
    const std::string table = slicectl({"lab", "status"}).out;
    EXPECT_THAT(table, HasSubstr("node2"));
    EXPECT_THAT(table, HasSubstr("fd00:51ce::2"));
    EXPECT_EQ(slicectlJson({"node", "ls"}).size(), 3U);
    expectDownLeavesNothing();
}

TEST_F(LabLifeTest, TheControllerHasNoPrivileges) {
    HS_EXPECT_DONE(slicectl({"lab", "up", "--nodes", "1"}));
    for (const auto& program : labPrograms()) {
        if (program.value("name", "") != "sliced") continue;
        std::ifstream file("/proc/" + std::to_string(program.value("pid", 0)) + "/status");
        const std::string status{std::istreambuf_iterator<char>(file), {}};
        EXPECT_THAT(status, HasSubstr("Uid:\t65534\t65534\t65534\t65534"));
        EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000"));
        EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
    }
}

TEST_F(LabLifeTest, RunsCommandsInItsHosts) {
    HS_EXPECT_DONE(slicectl({"lab", "up", "--nodes", "1"}));
    const CommandResult cat = slicectl({"lab", "client", "--", "cat"}, "as it is\n");
    HS_EXPECT_DONE(cat);
    EXPECT_EQ(cat.out, "as it is\n");
    EXPECT_EQ(slicectl({"lab", "client", "--", "sh", "-c", "exit 9"}).status, 9);
    EXPECT_EQ(slicectl({"lab", "client", "--", "sh", "-c", "kill -TERM $$"}).status, 128 + SIGTERM);
    EXPECT_EQ(slicectl({"lab", "client", "--", "no-such-program"}).status, 127);
    EXPECT_THAT(slicectl({"lab", "node", "node1", "--", "ip", "-6", "addr"}).out, HasSubstr("fd00:51ce::1/64"));
    EXPECT_THAT(slicectl({"lab", "node", "ha", "--", "ip", "-6", "addr"}).out, HasSubstr("fd00:51ce::a0a0/64"));
    EXPECT_EQ(slicectl({"lab", "node", "node2", "--", "true"}).status, 3);
}

TEST_F(LabLifeTest, ASecondLabIsRefusedAndTheFirstStays) {
    HS_EXPECT_DONE(slicectl({"lab", "up", "--nodes", "1"}));
    const CommandResult second = slicectl({"lab", "up"});
    EXPECT_EQ(second.status, 4);
    EXPECT_EQ(linesOf(second.err).size(), 1U) << second.err;
    EXPECT_THAT(second.err, HasSubstr("slicectl lab down"));
    EXPECT_EQ(slicectlJson({"node", "ls"}).size(), 2U);
}

TEST_F(LabLifeTest, DownRemovesRunningSlivers) {
    HS_EXPECT_DONE(slicectl({"lab", "up", "--nodes", "2"}));
    startSlivers();
    expectDownLeavesNothing();
}

TEST_F(LabLifeTest, DownRemovesWhatIsLeftWhenEveryProgramWasKilled) {
    HS_EXPECT_DONE(slicectl({"lab", "up", "--nodes", "2"}));
    startSlivers();
    killEveryProgram();
    expectDownLeavesNothing();
}

TEST_F(LabLifeTest, DownNeedsNoMemoryOfTheLab) {
    HS_EXPECT_DONE(slicectl({"lab", "up", "--nodes", "2"}));
    startSlivers();
    HS_EXPECT_DONE(runCommand({"rm", "/run/homeslice/lab/lab.json"}));
    HS_EXPECT_DONE(slicectl({"lab", "down"}));
    // Whether it was this lab that made /run/netns a mount point was in its memory.
    EXPECT_THAT(awaitNoLeftovers(before_), testing::AnyOf("", "mount /run/netns\n"));
}

TEST_F(LabLifeTest, DownRemovesAHalfMadeLab) {
    for (const char* after : {"0.05", "0.15", "0.3", "0.6"}) {
        SCOPED_TRACE(after);
        const std::string program = std::string(HS_BIN_DIRECTORY) + "/slicectl";
        runCommand({"timeout", "-s", "KILL", after, program, "lab", "up", "--nodes", "3"});
        expectDownLeavesNothing();
    }
}

TEST_F(LabLifeTest, UpReplacesAHalfMadeLab) {
    const std::string program = std::string(HS_BIN_DIRECTORY) + "/slicectl";
    runCommand({"timeout", "-s", "KILL", "0.2", program, "lab", "up", "--nodes", "3"});
    HS_EXPECT_DONE(slicectl({"lab", "up", "--nodes", "1"}));
    EXPECT_EQ(slicectlJson({"node", "ls"}).size(), 2U);
    expectDownLeavesNothing();
}

TEST_F(LabLifeTest, AnInterruptedUpLeavesNothing) {
    // --foreground: otherwise timeout(1) interrupts twice, and the second time means "at once".
    const std::string program = std::string(HS_BIN_DIRECTORY) + "/slicectl";
    const CommandResult result = runCommand(
        {"timeout", "--foreground", "--preserve-status", "-s", "INT", "0.3", program, "lab", "up", "--nodes", "20"});
    EXPECT_EQ(result.status, 130) << result.err;
    EXPECT_EQ(awaitNoLeftovers(before_), "");
}

TEST_F(LabLifeTest, DownMayBeRepeated) {
    HS_EXPECT_DONE(slicectl({"lab", "down"}));
    HS_EXPECT_DONE(slicectl({"lab", "down"}));
    EXPECT_EQ(slicectl({"lab", "status"}).status, 3);
}

}  // namespace
}  // namespace homeslice::testing_support
