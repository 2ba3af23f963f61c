// Terminals, shells and logs as people use them.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <future>

#include "base/file.h"
#include "tests/support/lab.h"
#include "tests/support/pty.h"

namespace homeslice::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kSlicectl = std::string(HS_BIN_DIRECTORY) + "/slicectl";

class InteractiveTest : public LabTest {
protected:
    static CommandResult in(const std::string& id, const std::string& script) {
        return slicectl({"exec", id, "--", "sh", "-c", script});
    }
    // How many processes of the sliver sleep: by their words, for busybox has one name for all.
    static std::string sleepers(const std::string& id) {
        return in(id, "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done | grep -c '^sleep 100'").out;
    }
};

TEST_F(InteractiveTest, AShellOnATerminal) {
    HS_EXPECT_DONE(createSlice("tty", {"--nodes", "1"}));
    PtyProgram shell({kSlicectl, "shell", "tty"}, 100, 30);
    shell.type("stty size; tty; echo $TERM; echo $((6 * 7))\n");
    EXPECT_TRUE(shell.shows("30 100")) << shell.screen();
    EXPECT_TRUE(shell.shows("/dev/pts/0")) << shell.screen();
    EXPECT_TRUE(shell.shows("vt100")) << shell.screen();
    EXPECT_TRUE(shell.shows("42")) << shell.screen();
    shell.resize(132, 50);
    // The new size comes by a way of its own.
    shell.type("until [ \"$(stty size)\" = '50 132' ]; do sleep 0.05; done; echo res''ized\n");
    EXPECT_TRUE(shell.shows("resized")) << shell.screen();
    shell.type("sleep 1000\n");
    EXPECT_TRUE(eventually([] { return sleepers("tty/1") == "1\n"; }));
    shell.type("\x03");
    shell.type("echo inter''rupted $?\n");
    EXPECT_TRUE(shell.shows("interrupted 130")) << shell.screen();
    shell.type("exit 7\n");
    EXPECT_EQ(shell.end(), 7) << shell.screen();
}

TEST_F(InteractiveTest, ExecOnATerminalHasTheCommandsStatus) {
    HS_EXPECT_DONE(createSlice("tty", {"--nodes", "1"}));
    PtyProgram program({kSlicectl, "exec", "-t", "tty/1", "--", "sh", "-c", "echo err >&2; read line; exit $line"});
    EXPECT_TRUE(program.shows("err\r\n")) << program.screen();
    program.type("9\n");
    EXPECT_EQ(program.end(), 9) << program.screen();
    // Without a terminal here there may be one there: the end of input is a key then.
    const CommandResult cat = slicectl({"exec", "-t", "tty/1", "--", "cat"}, "no newline");
    HS_EXPECT_DONE(cat);
    EXPECT_THAT(cat.out, HasSubstr("no newline"));
}

TEST_F(InteractiveTest, DetachedCommandsGoOn) {
    HS_EXPECT_DONE(createSlice("tty", {"--nodes", "1"}));
    {
        PtyProgram program({kSlicectl, "exec", "-t", "tty/1", "--", "sh", "-c", "echo ready; exec sleep 1001"});
        EXPECT_TRUE(program.shows("ready"));
        program.type("\x10\x11");
        EXPECT_TRUE(program.shows("detached from tty/1")) << program.screen();
        EXPECT_EQ(program.end(), 0);
    }
    HS_EXPECT_DONE(slicectl({"exec", "-d", "tty/1", "--", "sleep", "1002"}));
    EXPECT_EQ(sleepers("tty/1"), "2\n");
    EXPECT_EQ(slicectl({"exec", "-d", "tty/1", "--", "no-such-program"}).status, 127);
}

TEST_F(InteractiveTest, AClientThatDiesTakesItsCommandAlong) {
    HS_EXPECT_DONE(createSlice("tty", {"--nodes", "1"}));
    {
        PtyProgram shell({kSlicectl, "shell", "tty/1"});
        shell.type("trap '' HUP; sleep 1000\n");
        EXPECT_TRUE(eventually([] { return sleepers("tty/1") == "1\n"; }));
    }
    EXPECT_TRUE(eventually([] { return sleepers("tty/1") == "0\n"; }));
}

TEST_F(InteractiveTest, RunsAsUsersOfTheSlivers) {
    HS_EXPECT_DONE(createSlice("users", {"--nodes", "1"}));
    HS_EXPECT_DONE(
        in("users/1", "echo 'ana:x:1000:1000::/tmp:/bin/sh' >> /etc/passwd; echo 'ana:x:1000:' >> /etc/group"));
    const CommandResult ana = slicectl({"exec", "users/1", "-u", "ana", "-w", "/var", "-e", "A=b c", "--", "sh", "-c",
                                        "id -un; echo $HOME; pwd; echo $A"});
    EXPECT_THAT(linesOf(ana.out), ElementsAre("ana", "/tmp", "/var", "b c"));
    EXPECT_EQ(slicectl({"exec", "users/1", "-u", "4711:12", "--", "sh", "-c", "id -u; id -g"}).out, "4711\n12\n");
    const CommandResult nobody = slicectl({"exec", "users/1", "-u", "bob", "--", "id"});
    EXPECT_EQ(nobody.status, 126);
    EXPECT_EQ(nobody.err, "sliver-init: bob: no such user\n");
}

TEST_F(InteractiveTest, LogsGoOnAcrossRotations) {
    // Some 55 bytes a record: more than one file takes, and no more than two keep.
    constexpr size_t kLines = 250'000;
    const std::string script = "until [ -e /tmp/go ]; do sleep 0.05; done; i=0; while [ $i -lt " +
                               std::to_string(kLines) + " ]; do echo $i; i=$((i + 1)); done; echo the end; sleep 1000";
    HS_EXPECT_DONE(createSlice("chatty", {"--nodes", "1", "--", "sh", "-c", script}));
    // To a file, to see how far it is: what the slice has said goes with the slice, read or not.
    const std::string copy = "/tmp/hst-followed-" + std::to_string(::getpid());
    auto following = std::async(std::launch::async, [&] {
        return runCommand({"sh", "-c", kSlicectl + " logs chatty/1 -f >" + copy});
    });
    HS_EXPECT_DONE(in("chatty/1", "touch /tmp/go"));
    EXPECT_TRUE(eventually(
        [&] {
            return runCommand({"tail", "-n", "1", copy}).out == "the end\n";
        },
        std::chrono::seconds(60)));
    HS_EXPECT_DONE(slicectl({"slice", "rm", "chatty"}));
    HS_EXPECT_DONE(following.get());
    const std::vector<std::string> lines = linesOf(readFile(copy).value_or(""));
    EXPECT_EQ(::unlink(copy.c_str()), 0);
    ASSERT_EQ(lines.size(), kLines + 1);
    for (size_t i = 0; i < kLines; ++i) ASSERT_EQ(lines[i], std::to_string(i));
    EXPECT_EQ(lines.back(), "the end");
}

TEST_F(InteractiveTest, LogsByTimeAndNumber) {
    HS_EXPECT_DONE(
        createSlice("talk", {"--nodes", "2", "--", "sh", "-c", "for i in 1 2 3; do echo $i; done; sleep 1000"}));
    EXPECT_TRUE(eventually([] { return linesOf(slicectl({"logs", "talk"}).out).size() == 6; }));
    EXPECT_EQ(slicectl({"logs", "talk/1", "--tail", "2"}).out, "2\n3\n");
    EXPECT_EQ(slicectl({"logs", "talk", "--tail", "1"}).out, "talk/1 | 3\ntalk/2 | 3\n");
    EXPECT_EQ(slicectl({"logs", "talk/2", "--since", "1h"}).out, "1\n2\n3\n");
    EXPECT_EQ(slicectl({"logs", "talk/2", "--since", "2100-01-01T00:00:00Z"}).out, "");
    EXPECT_THAT(slicectl({"logs", "talk/2", "--timestamps", "--tail", "1"}).out, HasSubstr("Z 3\n"));
}

TEST_F(InteractiveTest, NothingIsLostWhileNodedIsDead) {
    const std::string script = "i=0; while [ ! -e /tmp/enough ]; do echo $i; i=$((i + 1)); sleep 0.01; done; exit 9";
    HS_EXPECT_DONE(createSlice("count", {"--on", "node1", "--", "sh", "-c", script}));
    for (const auto& program : labPrograms()) {
        if (program.value("name", "") == "node1") {
            EXPECT_EQ(::kill(program.value("pid", 0), SIGKILL), 0);
        }
    }
    EXPECT_EQ(slicectl({"logs", "count/1"}).status, 1) << "nobody to ask";
    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    EXPECT_TRUE(eventually([this] { return in("count/1", "touch /tmp/enough").status == 0; }));
    EXPECT_TRUE(eventually([this] { return sliver("count/1").value("state", "") == "exited"; }));
    EXPECT_EQ(sliver("count/1").value("exit_status", -1), 9);
    const std::vector<std::string> lines = linesOf(slicectl({"logs", "count/1"}).out);
    EXPECT_GT(lines.size(), 10U);
    for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], std::to_string(i));
}

TEST_F(InteractiveTest, FollowingEndsWithTheSliver) {
    HS_EXPECT_DONE(createSlice("brief", {"--nodes", "1", "--", "sh", "-c", "echo here; sleep 1000"}));
    PtyProgram follower({kSlicectl, "logs", "brief", "-f"});
    EXPECT_TRUE(follower.shows("here"));
    HS_EXPECT_DONE(slicectl({"slice", "rm", "brief"}));
    EXPECT_EQ(follower.end(), 0) << follower.screen();
    EXPECT_THAT(follower.screen(), Not(HasSubstr("slicectl:")));
}

}  // namespace
}  // namespace homeslice::testing_support
