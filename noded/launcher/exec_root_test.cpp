// Commands in a sliver with a terminal, as another user, and detached.
#include <absl/status/status.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "noded/launcher/sliver_fixture.h"

namespace homeslice::launcher {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class ExecTest : public SliverFixture {
protected:
    struct Session {
        std::unique_ptr<init::RunningCommand> command;
        UniqueFd terminal;
        std::string seen;  // all that it has written
    };

    Session open(std::vector<std::string> argv, init::TerminalSize size = {}, const std::string& user = "") {
        init::ExecRequest request;
        request.argv = std::move(argv);
        request.user = user;
        request.terminal = size;
        auto command = init::exec(controlSocket(), std::move(request));
        EXPECT_TRUE(command.ok()) << command.status();
        if (!command.ok()) return {};
        UniqueFd terminal = (*command)->takeTerminal();
        return {std::move(*command), std::move(terminal), ""};
    }
    // Reads until `text` has come, or to the end when it is empty.
    static bool awaitText(Session& session, const std::string& text) {
        const auto deadline = Monotonic::now() + kPatience;
        while (text.empty() || session.seen.find(text) == std::string::npos) {
            pollfd event{.fd = session.terminal.get(), .events = POLLIN, .revents = 0};
            if (Monotonic::now() > deadline || ::poll(&event, 1, 1000) < 0) return false;
            if (event.revents == 0) continue;
            char piece[4096];
            const ssize_t size = ::read(session.terminal.get(), piece, sizeof(piece));
            if (size < 0 && errno == EAGAIN) continue;
            if (size <= 0) return text.empty();
            session.seen.append(piece, static_cast<size_t>(size));
        }
        return true;
    }
    static void type(Session& session, const std::string& text) {
        EXPECT_TRUE(writeAll(session.terminal.get(), text).ok());
    }
    Output runAs(const std::string& user, std::vector<std::string> argv, std::vector<std::string> env = {}) {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        const UniqueFd out(ends[0]);
        init::ExecRequest request;
        request.argv = std::move(argv);
        request.env = std::move(env);
        request.user = user;
        request.stdout_fd.reset(ends[1]);
        request.stderr_fd.reset(::dup(ends[1]));
        auto command = init::exec(controlSocket(), std::move(request));
        EXPECT_TRUE(command.ok()) << command.status();
        if (!command.ok()) return {};
        Output output;
        output.out = readAll(out.get()).value_or("(unreadable)");
        output.status = (*command)->wait().value_or(-1);
        return output;
    }
};

TEST_F(ExecTest, HasATerminalOfTheSlivers) {
    start();
    Session session = open({"sh", "-c", "tty; stty size; stat -c '%u %a' $(tty); echo err >&2; exit 3"}, {100, 30});
    EXPECT_TRUE(awaitText(session, ""));
    EXPECT_EQ(session.seen, "/dev/pts/0\r\n30 100\r\n0 620\r\nerr\r\n");
    EXPECT_EQ(session.command->wait().value_or(-1), 3);
}

TEST_F(ExecTest, TheTerminalBelongsToTheUser) {
    start();
    Session session = open({"sh", "-c", "stat -c '%u %g' $(tty); echo again > $(tty)"}, {}, "1000:1000");
    EXPECT_TRUE(awaitText(session, ""));
    EXPECT_EQ(session.seen, "1000 5\r\nagain\r\n");
    EXPECT_EQ(session.command->wait().value_or(-1), 0);
}

TEST_F(ExecTest, SizeInterruptAndEndOfInput) {
    start();
    Session session = open({"sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done"});
    ASSERT_TRUE(awaitText(session, "ready"));
    ASSERT_TRUE(init::resizeTerminal(session.terminal.get(), {132, 50}).ok());
    EXPECT_TRUE(awaitText(session, "50 132\r\n")) << session.seen;
    type(session, "\x03");
    EXPECT_EQ(session.command->wait().value_or(-1), 128 + SIGINT);

    Session cat = open({"cat"});
    type(cat, "hello\n\x04");
    EXPECT_TRUE(awaitText(cat, ""));
    EXPECT_EQ(cat.seen, "hello\r\nhello\r\n");
    EXPECT_EQ(cat.command->wait().value_or(-1), 0);
}

TEST_F(ExecTest, GivingUpATerminalEndsTheForegroundJob) {
    start();
    for (const bool killed : {false, true}) {
        Session session = open({"sh", "-i"});
        type(session, "trap '' HUP; (trap '' HUP; echo go; exec sleep 1000)\n");
        ASSERT_TRUE(awaitText(session, "go\r\n")) << session.seen;
        if (killed) {
            EXPECT_TRUE(session.command->kill(SIGKILL).ok());
            EXPECT_EQ(session.command->wait().value_or(-1), 137);
        }
    }
    EXPECT_EQ(
        shell("for i in 0 1 2 3 4 5 6 7 8 9; do grep -qs sleep /proc/[0-9]*/comm || exit 0; sleep 0.2; done; exit 1")
            .status,
        0);
}

constexpr char kUntilItIsThere[] = "until [ -e /tmp/there ]; do sleep 0.02; done";

TEST_F(ExecTest, DetachedOnesGoOn) {
    start();
    Session session = open({"sh", "-c",
                            "echo ready; read line; for i in 0 1 2 3 4 5 6 7 8 9; do cat /bin/busybox; done; "
                            "touch /tmp/there; exec sleep 1000"});
    ASSERT_TRUE(awaitText(session, "ready"));
    type(session, "go\n");
    ASSERT_TRUE(session.command->detach().ok());
    EXPECT_TRUE(absl::IsCancelled(session.command->wait().status()));
    session.command.reset();
    session.terminal.reset();
    EXPECT_EQ(shell(kUntilItIsThere).status, 0) << "its output is taken, or it would wait for ever";
    EXPECT_EQ(shell("grep -l sleep /proc/[0-9]*/comm | wc -l").out, "1\n");
}

TEST_F(ExecTest, DetachedFromTheStart) {
    const Child child = start();
    for (const bool terminal : {false, true}) {
        init::ExecRequest request;
        request.argv = {"sh", "-c", "cat /bin/busybox; touch /tmp/there; sleep 1000"};
        if (terminal) request.terminal = init::TerminalSize();
        request.detached = true;
        auto command = init::exec(controlSocket(), std::move(request));
        ASSERT_TRUE(command.ok()) << command.status();
        EXPECT_TRUE(absl::IsCancelled((*command)->wait().status()));
        command->reset();
        EXPECT_EQ(shell(kUntilItIsThere).status, 0);
        EXPECT_EQ(run({"sh", "-c", "rm -f /tmp/there"}).status, 0);
    }
    init::ExecRequest missing;
    missing.argv = {"no-such-program"};
    missing.detached = true;
    auto command = init::exec(controlSocket(), std::move(missing));
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_EQ((*command)->wait().value_or(-1), 127);

    ASSERT_TRUE(init::stop(controlSocket(), std::chrono::minutes(10)).ok());
    EXPECT_EQ(WEXITSTATUS(awaitEnd(child.identity)), 0) << "they end with the sliver";
}

TEST_F(ExecTest, ManyTerminalsAtOnce) {
    start();
    std::vector<Session> sessions;
    for (int i = 0; i < 20; ++i) sessions.push_back(open({"sh", "-c", "tty; read line; echo got $line"}));
    for (int i = 0; i < 20; ++i) {
        Session& session = sessions[static_cast<size_t>(i)];
        type(session, std::to_string(i) + "\n");
        EXPECT_TRUE(awaitText(session, "got " + std::to_string(i) + "\r\n")) << session.seen;
        EXPECT_THAT(session.seen, HasSubstr("/dev/pts/" + std::to_string(i)));
        EXPECT_EQ(session.command->wait().value_or(-1), 0);
    }
}

TEST_F(ExecTest, RunsAsAUserOfTheSlivers) {
    start();
    ASSERT_EQ(shell("echo 'ana:x:1000:1001::/home/ana:' > /etc/passwd; echo 'sudo:x:27:ana' > /etc/group").status, 0);
    EXPECT_EQ(runAs("ana", {"sh", "-c", "id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status"}).out,
              "1000\n1001\n1001 27\n/home/ana\nCapEff:\t0000000000000000\n");
    EXPECT_EQ(runAs("ana:sudo", {"id", "-G"}).out, "27\n");
    EXPECT_EQ(runAs("ana", {"sh", "-c", "echo $HOME"}, {"HOME=/other"}).out, "/other\n");
    EXPECT_EQ(runAs("", {"sh", "-c", "id -u; echo $HOME"}).out, "0\n/root\n");
    EXPECT_EQ(runAs("4711", {"sh", "-c", "id -u; id -g; echo $HOME"}).out, "4711\n0\n/\n");
    const Output unknown = runAs("bob", {"id"});
    EXPECT_EQ(unknown.status, 126);
    EXPECT_EQ(unknown.out, "sliver-init: bob: no such user\n");
    EXPECT_EQ(runAs("70000", {"id"}).status, 126) << "beyond the sliver's ids";
}

TEST_F(ExecTest, TheSliversOwnCommandRunsAsAUser) {
    Command as_user = command({"sh", "-c", "id -u; id -g"});
    as_user.user = "33:34";
    const Child child = startCommand(as_user);
    EXPECT_EQ(WEXITSTATUS(awaitEnd(child.identity)), 0);
    EXPECT_THAT(readFile(logDirectory() + "/log").value_or(""), MatchesRegex(".* F 33\n.* F 34\n"));
}

TEST_F(ExecTest, StopsByTheSignalThatIsAskedFor) {
    const Child child = start({"sh", "-c", "trap 'exit 9' QUIT; touch /tmp/there; while :; do sleep 0.02; done"});
    EXPECT_EQ(shell(kUntilItIsThere).status, 0);
    ASSERT_TRUE(init::stop(controlSocket(), std::chrono::minutes(10), SIGQUIT).ok());
    EXPECT_EQ(WEXITSTATUS(awaitEnd(child.identity)), 9);
    EXPECT_EQ(init::readExitStatus(logDirectory()).value_or(-1), 9);
}

TEST_F(ExecTest, KeepsTheLogWithinItsLimits) {
    Command chatty = command({"sh", "-c", "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i + 1)); done"});
    chatty.log_bytes = 4096;
    chatty.log_files = 3;
    const Child child = startCommand(chatty);
    EXPECT_EQ(WEXITSTATUS(awaitEnd(child.identity)), 0);
    EXPECT_THAT(readFile(logDirectory() + "/log").value_or(""), HasSubstr("line 399\n"));
    for (const char* name : {"/log", "/log.1", "/log.2"}) {
        struct stat about {};
        ASSERT_EQ(::stat((logDirectory() + name).c_str(), &about), 0) << name;
        EXPECT_LE(about.st_size, 4096) << name;
    }
    EXPECT_NE(::access((logDirectory() + "/log.3").c_str(), F_OK), 0);
}

TEST_F(ExecTest, CommandsGetTheUsualSignals) {
    start();
    const std::string status = run({"cat", "/proc/self/status"}).out;
    EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000\n"));
    // 32 and 33 are the C library's own: no program can change them, they stay as they were given to this test.
    EXPECT_THAT(status, MatchesRegex("(.|\n)*SigIgn:\t0000000[01]80000000\n(.|\n)*"));
}

}  // namespace
}  // namespace homeslice::launcher
