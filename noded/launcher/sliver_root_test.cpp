// What a sliver is: started for real, and looked at from inside and outside.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/status.h"
#include "noded/init/protocol.h"
#include "noded/launcher/sliver_fixture.h"
#include "noded/sys/namespace.h"
#include "noded/sys/unix_socket.h"

namespace homeslice::launcher {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

using SliverTest = SliverFixture;

std::string fileOf(const Child& child, const std::string& name) {
    return readFile("/proc/" + std::to_string(child.identity.pid) + "/" + name).value_or("(none)");
}

std::string linkOf(pid_t pid, const std::string& name) {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/" + name, error).string();
}

TEST_F(SliverTest, HasNamespacesOfItsOwn) {
    const Child child = start();
    for (const char* kind : {"user", "mnt", "pid", "net", "uts", "ipc", "cgroup"}) {
        const std::string name = std::string("ns/") + kind;
        const std::string inside = linkOf(child.identity.pid, name);
        EXPECT_FALSE(inside.empty()) << kind;
        EXPECT_NE(inside, linkOf(::getpid(), name)) << kind;
    }
    EXPECT_EQ(shell("hostname").out, "web-2\n");
    // Live migration needs it: the network namespace belongs to the sliver's user namespace.
    const UniqueFd owner(::ioctl(child.network_namespace.get(), NS_GET_USERNS));
    ASSERT_TRUE(owner.valid());
    EXPECT_EQ(*sys::namespaceId(owner.get()), *sys::namespaceId(child.user_namespace.get()));
}

TEST_F(SliverTest, RunsAsARangeOfIds) {
    const Child child = start();
    EXPECT_THAT(fileOf(child, "uid_map"), MatchesRegex(" +0 +70000000 +65536\n"));
    EXPECT_THAT(fileOf(child, "gid_map"), MatchesRegex(" +0 +70000000 +65536\n"));
    EXPECT_THAT(fileOf(child, "status"), HasSubstr("Uid:\t70000000\t70000000\t70000000\t70000000\n"));
    EXPECT_THAT(fileOf(child, "status"), HasSubstr("Groups:\t \n"));
    EXPECT_THAT(run({"id"}).out, HasSubstr("uid=0 gid=0"));
}

TEST_F(SliverTest, HasOnlyThePrivilegesOfThePlan) {
    const Child child = start();
    const std::string inside = run({"cat", "/proc/self/status"}).out;
    for (const std::string& status : {inside, fileOf(child, "status")}) {
        EXPECT_THAT(status, HasSubstr("CapInh:\t0000000000000000\n"));
        EXPECT_THAT(status, HasSubstr("CapPrm:\t00000000000004eb\n"));
        EXPECT_THAT(status, HasSubstr("CapEff:\t00000000000004eb\n"));
        EXPECT_THAT(status, HasSubstr("CapBnd:\t00000000000004eb\n"));
        EXPECT_THAT(status, HasSubstr("CapAmb:\t0000000000000000\n"));
        EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
        EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
    }
    const Output refused = run({"mkdir", "/tmp/x"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("Invalid cross-device link"));
}

TEST_F(SliverTest, SeesOnlyItsOwnTree) {
    start();
    EXPECT_EQ(shell("ls /").out, "bin\ndev\netc\nproc\nsys\ntmp\n");
    EXPECT_EQ(shell("ls /dev").out,
              "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n");
    EXPECT_EQ(shell("echo x > /dev/null && echo x > /dev/shm/x && cat /dev/shm/x").out, "x\n");
    EXPECT_EQ(shell("cat /proc/kcore | wc -c").out, "0\n");
    EXPECT_EQ(shell("ls /sys/firmware").out, "");
    EXPECT_THAT(shell("echo 1 > /proc/sys/kernel/shmmni").err, HasSubstr("Read-only file system"));
    EXPECT_THAT(shell("touch /sys/x").err, HasSubstr("Read-only file system"));
    EXPECT_EQ(shell("cat /sys/class/net/lo/flags").out, "0x9\n");
    EXPECT_THAT(shell("cat /proc/mounts").out, Not(HasSubstr("cgroup")));
    EXPECT_EQ(shell("grep -c . /proc/self/cgroup >/dev/null && grep -v ':/$' /proc/self/cgroup").out, "");
}

TEST_F(SliverTest, FirstProcessHoldsNothingOfTheHost) {
    const Child child = start();
    for (const char* standard : {"fd/0", "fd/1", "fd/2"}) EXPECT_EQ(linkOf(child.identity.pid, standard), "/dev/null");
    const std::string fds = "/proc/" + std::to_string(child.identity.pid) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(fds)) {
        const std::string target = std::filesystem::read_symlink(entry.path()).string();
        EXPECT_TRUE(target == "/dev/null" || target.find("socket:") == 0 || target.find("anon_inode:") == 0 ||
                    target.find("/log") != std::string::npos)
            << target;
    }
    EXPECT_EQ(run({"ls", "/proc/self/fd"}).out, "0\n1\n2\n3\n");
    EXPECT_EQ(fileOf(child, "environ"), "") << "what the command gets comes later";
}

// As the sliver's root with every capability in its user namespace, which is more than anyone inside has.
int traceFirstProcessFromInside(const Child& child) {
    const pid_t outside = ::fork();
    if (outside == 0) {
        constexpr int kKinds = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS;
        if (::setns(child.pidfd.get(), kKinds) < 0 || ::setresuid(0, 0, 0) < 0) ::_exit(255);
        const pid_t inside = ::fork();
        if (inside == 0) ::_exit(::ptrace(PTRACE_SEIZE, 1, nullptr, nullptr) == 0 ? 0 : errno);
        int status = 0;
        ::waitpid(inside, &status, 0);
        ::_exit(WEXITSTATUS(status));
    }
    int status = 0;
    ::waitpid(outside, &status, 0);
    return WEXITSTATUS(status);
}

TEST_F(SliverTest, FirstProcessCannotBeReachedFromInside) {
    const Child child = start();
    for (const char* file : {"environ", "mem", "maps"}) {
        const Output output = run({"cat", std::string("/proc/1/") + file});
        EXPECT_EQ(output.out, "") << file;
        EXPECT_THAT(output.err, HasSubstr("Permission denied")) << file;
    }
    EXPECT_NE(run({"readlink", "/proc/1/exe"}).status, 0);
    EXPECT_NE(run({"readlink", "/proc/1/fd/5"}).status, 0);
    EXPECT_NE(run({"ls", "/proc/1/root/"}).status, 0);
    EXPECT_EQ(traceFirstProcessFromInside(child), EPERM);
    EXPECT_EQ(shell("kill -9 1; kill -TERM 1; echo alive").out, "alive\n");
}

TEST_F(SliverTest, ExecCarriesStreamsAndStatus) {
    start();
    EXPECT_EQ(run({"cat"}, "to and fro").out, "to and fro");
    const Output output = shell("echo out; echo err >&2; exit 7");
    EXPECT_EQ(output.out, "out\n");
    EXPECT_EQ(output.err, "err\n");
    EXPECT_EQ(output.status, 7);
    EXPECT_EQ(shell("echo $GREETING $HOME $PATH").out,
              "hello /root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
    EXPECT_EQ(shell("kill -KILL $$").status, 137);
    const Output missing = run({"no-such-program"});
    EXPECT_EQ(missing.status, 127);
    EXPECT_THAT(missing.err, HasSubstr("no-such-program: No such file or directory"));
    EXPECT_EQ(run({"/etc/plain"}).status, 126);
}

TEST_F(SliverTest, ExecTakesEnvironmentAndDirectory) {
    start();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd out(ends[0]);
    init::ExecRequest request;
    request.argv = {"sh", "-c", "echo $PWD $GREETING; cat"};
    request.env = {"GREETING=bye"};
    request.working_directory = "/tmp";
    request.stdout_fd = UniqueFd(ends[1]);
    auto command = init::exec(controlSocket(), std::move(request));
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_EQ((*command)->wait().value_or(-1), 0);
    EXPECT_EQ(readAll(out.get()).value_or(""), "/tmp bye\n");
}

TEST_F(SliverTest, ExecCanBeSignalledAndGivenUp) {
    start();
    init::ExecRequest request;
    request.argv = {"sleep", "1000"};
    auto command = init::exec(controlSocket(), std::move(request));
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_TRUE((*command)->kill(SIGTERM).ok());
    EXPECT_EQ((*command)->wait().value_or(-1), 143);
    EXPECT_TRUE((*command)->kill(SIGTERM).ok());

    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd out(ends[0]);
    init::ExecRequest group;
    group.argv = {"sh", "-c", "sleep 1000 & sleep 1000"};
    group.stdout_fd = UniqueFd(ends[1]);
    auto given_up = init::exec(controlSocket(), std::move(group));
    ASSERT_TRUE(given_up.ok()) << given_up.status();
    given_up->reset();
    EXPECT_EQ(readAll(out.get()).value_or("x"), "");  // ends when the last of the group is gone
}

TEST_F(SliverTest, RunningCommandsAreBounded) {
    start();
    std::vector<std::unique_ptr<init::RunningCommand>> commands;
    for (size_t i = 0; i <= init::kMaxCommands; ++i) {
        init::ExecRequest request;
        request.argv = {"sleep", "1000"};
        auto command = init::exec(controlSocket(), std::move(request));
        ASSERT_EQ(command.ok(), i < init::kMaxCommands) << i << " " << command.status();
        if (command.ok()) {
            commands.push_back(std::move(*command));
        } else {
            EXPECT_EQ(errnoOf(command.status()), EAGAIN);
        }
    }
    for (const auto& command : commands) EXPECT_TRUE(command->kill(SIGKILL).ok());
    for (const auto& command : commands) EXPECT_EQ(command->wait().value_or(-1), 137);
    EXPECT_EQ(run({"true"}).status, 0);
}

TEST_F(SliverTest, MalformedRequestsHarmNobody) {
    start();
    init::Request no_argument;
    no_argument.kind = init::Request::Kind::exec;
    init::Request missing_strings = no_argument;
    missing_strings.argument_count = 3;
    init::Request many_strings = no_argument;
    many_strings.argument_count = 0xffffffff;
    init::Request missing_streams = missing_strings;
    missing_streams.streams = 7;
    init::Request unknown;
    unknown.kind = init::Request::Kind{77};
    init::Request lone_signal;
    lone_signal.kind = init::Request::Kind::signal;
    lone_signal.signal_number = SIGKILL;
    for (const init::Request& request :
         {no_argument, missing_strings, many_strings, missing_streams, unknown, lone_signal}) {
        const auto socket = sys::connectSeqpacket(controlSocket());
        ASSERT_TRUE(socket.ok()) << socket.status();
        const std::string header(reinterpret_cast<const char*>(&request), sizeof(request));
        ASSERT_TRUE(sys::sendMessage(socket->get(), header + std::string("/\0sh\0unterminated", 17)).ok());
        const auto answer = sys::receiveMessage(socket->get(), sizeof(init::Reply), milliseconds(50));
        if (!answer.ok()) continue;
        init::Reply reply;
        ASSERT_EQ(answer->data.size(), sizeof(reply));
        std::memcpy(&reply, answer->data.data(), sizeof(reply));
        EXPECT_EQ(reply.kind, init::Reply::Kind::refused);
    }
    EXPECT_EQ(run({"true"}).status, 0);
}

TEST_F(SliverTest, OrphansAreReaped) {
    start();
    const char* script =
        "(sh -c 'exit 3' &); for i in 0 1 2 3 4 5 6 7 8 9; do "
        "grep -q '^State:.*Z' /proc/[0-9]*/status 2>/dev/null || exit 0; sleep 0.2; done; exit 1";
    EXPECT_EQ(shell(script).status, 0);
}

TEST_F(SliverTest, CommandLeavesLogAndExitStatus) {
    const Child child = start({"sh", "-c", "echo out; echo err >&2; echo -n last; exit 3"});
    const int wait_status = awaitEnd(child.identity);
    EXPECT_TRUE(WIFEXITED(wait_status));
    EXPECT_EQ(WEXITSTATUS(wait_status), 3);
    EXPECT_EQ(init::readExitStatus(logDirectory()).value_or(-1), 3);
    const std::string log = readFile(logDirectory() + "/log").value_or("");
    EXPECT_THAT(log, HasSubstr("Z stdout F out\n"));
    EXPECT_THAT(log, HasSubstr("Z stderr F err\n"));
    EXPECT_THAT(log, HasSubstr("Z stdout P last\n"));
}

TEST_F(SliverTest, CommandRunsAsItsUser) {
    Command as_user = command({"sh", "-c", "id -u; id -g; grep CapEff /proc/self/status; echo $HOME $PWD"});
    as_user.uid = 33;
    as_user.gid = 34;
    as_user.working_directory = "/tmp";
    const Child child = startCommand(as_user);
    EXPECT_EQ(WEXITSTATUS(awaitEnd(child.identity)), 0);
    EXPECT_THAT(readFile(logDirectory() + "/log").value_or(""),
                MatchesRegex(".* F 33\n.* F 34\n.* F CapEff:\t0000000000000000\n.* F / /tmp\n"));
}

TEST_F(SliverTest, CommandThatCannotBeExecuted) {
    const Child child = start({"no-such-program"});
    EXPECT_EQ(WEXITSTATUS(awaitEnd(child.identity)), 127);
    EXPECT_EQ(init::readExitStatus(logDirectory()).value_or(-1), 127);
    EXPECT_THAT(readFile(logDirectory() + "/log").value_or(""), HasSubstr("no-such-program: No such file"));
}

TEST_F(SliverTest, StopsWithinGrace) {
    const Child child = start({"sleep", "1000"});
    ASSERT_TRUE(init::stop(controlSocket(), std::chrono::minutes(10)).ok());
    EXPECT_EQ(WEXITSTATUS(awaitEnd(child.identity)), 128 + SIGTERM);
    EXPECT_EQ(init::readExitStatus(logDirectory()).value_or(-1), 143);
}

TEST_F(SliverTest, StopKillsAfterGrace) {
    const Child child = start({"sh", "-c", "trap '' TERM; echo ready > /tmp/ready; while :; do sleep 1; done"});
    EXPECT_EQ(shell("until [ -e /tmp/ready ]; do sleep 0.02; done").status, 0);
    ASSERT_TRUE(init::stop(controlSocket(), milliseconds(100)).ok());
    EXPECT_EQ(WEXITSTATUS(awaitEnd(child.identity)), 128 + SIGKILL);
}

TEST_F(SliverTest, IdleSliverStops) {
    const Child child = start();
    init::ExecRequest request;
    request.argv = {"sleep", "1000"};
    auto command = init::exec(controlSocket(), std::move(request));
    ASSERT_TRUE(command.ok()) << command.status();
    ASSERT_TRUE(init::stop(controlSocket(), std::chrono::minutes(10)).ok());
    EXPECT_EQ((*command)->wait().value_or(-1), 143);
    const int wait_status = awaitEnd(child.identity);
    EXPECT_TRUE(WIFEXITED(wait_status));
    EXPECT_EQ(WEXITSTATUS(wait_status), 0);
    EXPECT_TRUE(absl::IsNotFound(init::readExitStatus(logDirectory()).status()));
}

TEST_F(SliverTest, ExecSaysWhenTheSliverEnds) {
    const Child child = start();
    init::ExecRequest request;
    request.argv = {"sleep", "1000"};
    auto command = init::exec(controlSocket(), std::move(request));
    ASSERT_TRUE(command.ok()) << command.status();
    ASSERT_TRUE(sys::signalProcess(child.pidfd.get(), SIGKILL).ok());
    EXPECT_TRUE(absl::IsUnavailable((*command)->wait().status()));
}

}  // namespace
}  // namespace homeslice::launcher
