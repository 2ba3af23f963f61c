// The launcher: what fails, who dies when, and what is kept.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <thread>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "noded/launcher/protocol.h"
#include "noded/launcher/sliver_fixture.h"
#include "noded/sys/unix_socket.h"

namespace homeslice::launcher {
namespace {

using ::testing::HasSubstr;

class LauncherTest : public SliverFixture {
protected:
    struct Listener {
        pid_t pid = 0;
        UniqueFd connection;  // a launcher without slivers ends with its last connection
    };
    // The process that listens. Takes the connection away from `launcher_`: not while the end of a sliver is told, for
    // one that is not taken keeps the launcher.
    Listener listener() {
        auto socket = sys::connectSeqpacket(launcherSocket());
        EXPECT_TRUE(socket.ok()) << socket.status();
        if (!socket.ok()) return {};
        EXPECT_TRUE(sys::receiveMessage(socket->get(), kMaxMessageToNoded, kPatience).ok());
        ucred peer{};
        socklen_t size = sizeof(peer);
        EXPECT_EQ(::getsockopt(socket->get(), SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
        EXPECT_NE(peer.pid, ::getpid());
        return {peer.pid, std::move(*socket)};
    }
    pid_t launcherPid() { return listener().pid; }

    void expectFailure(LaunchPlan plan, int error, const std::string& step) {
        auto child = launcher_->clone(cloneRequest());
        ASSERT_TRUE(child.ok()) << child.status();
        killAtEnd(*child);
        const absl::Status finished = park(*child, std::move(plan));
        EXPECT_FALSE(finished.ok());
        EXPECT_EQ(errnoOf(finished), error) << finished;
        EXPECT_THAT(messageOf(finished), HasSubstr(step));
        EXPECT_NE(awaitEnd(child->identity), -1);
        EXPECT_TRUE(absl::IsNotFound(sys::openProcess(child->identity).status()));
    }
};

TEST_F(LauncherTest, AFailingStepIsNamed) {
    LaunchPlan long_name = plan();
    long_name.hostname = std::string(100, 'x');
    expectFailure(std::move(long_name), EINVAL, "sethostname(xxx");

    LaunchPlan bad_filter = plan();
    bad_filter.seccomp_program = std::string(64, '\xff');
    expectFailure(std::move(bad_filter), EINVAL, "seccomp(load filter)");

    LaunchPlan not_a_mount = plan();
    not_a_mount.root_mount = *openFile("/tmp", O_PATH);
    expectFailure(std::move(not_a_mount), EINVAL, "move_mount");

    LaunchPlan not_a_program = plan();
    not_a_program.init_program = *openFile(directory_, O_PATH);
    expectFailure(std::move(not_a_program), EACCES, "execveat");
}

TEST_F(LauncherTest, AnIncompletePlanIsRefused) {
    LaunchPlan no_filter = plan();
    no_filter.seccomp_program.clear();
    expectFailure(std::move(no_filter), 0, "seccomp");
    expectFailure(LaunchPlan(), 0, "descriptor");
    LaunchPlan readable = plan();
    readable.init_program = *openFile("/bin/busybox", O_PATH);
    expectFailure(std::move(readable), 0, "0711");
}

TEST_F(LauncherTest, AnUnfinishedChildEnds) {
    auto child = launcher_->clone(cloneRequest());
    ASSERT_TRUE(child.ok()) << child.status();
    const sys::ProcessIdentity identity = child->identity;
    EXPECT_EQ(*sys::identify(identity.pid), identity);
    *child = Child();
    EXPECT_EQ(WEXITSTATUS(awaitEnd(identity)), 1);
}

TEST_F(LauncherTest, ACloneDoesNotWaitForWhatAnotherOneDoesMeanwhile) {
    std::promise<void> busy;
    std::promise<void> done;
    auto first = std::async(std::launch::async, [&] {
        return launcher_->clone(cloneRequest(), [&] {
            busy.set_value();
            done.get_future().wait();
        });
    });
    busy.get_future().wait();
    const auto second = launcher_->clone(cloneRequest());
    done.set_value();
    const auto child = first.get();
    ASSERT_TRUE(second.ok()) << second.status();
    ASSERT_TRUE(child.ok()) << child.status();
    killAtEnd(*second);
    killAtEnd(*child);
    EXPECT_NE(second->identity.pid, child->identity.pid);
}

TEST_F(LauncherTest, ALauncherThatDiesWhileItIsAskedIsMissedByAllWhoWait) {
    const auto [launcher, connection] = listener();
    connect();
    ASSERT_EQ(::kill(launcher, SIGSTOP), 0);
    auto first = std::async(std::launch::async, [&] { return launcher_->clone(cloneRequest()); });
    const auto second = launcher_->clone(cloneRequest(), [pid = launcher] { ::kill(pid, SIGKILL); });
    EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
    // It may have been asked after that.
    if (const auto other = first.get(); other.ok()) killAtEnd(*other);
    const Child child = start();
    EXPECT_EQ(run({"true"}).status, 0);
}

TEST_F(LauncherTest, ABadRequestLeavesNothing) {
    CloneRequest no_group = cloneRequest();
    no_group.cgroup_v1_directories = {"/sys/fs/cgroup/nowhere/x"};
    auto child = launcher_->clone(no_group);
    EXPECT_EQ(errnoOf(child.status()), ENOENT) << child.status();
    EXPECT_THAT(messageOf(child.status()), HasSubstr("web/2: enter cgroup"));
    CloneRequest no_v2_group = cloneRequest();
    no_v2_group.cgroup_v2_directory = "/tmp";
    child = launcher_->clone(no_v2_group);
    EXPECT_THAT(messageOf(child.status()), HasSubstr("clone3"));
    CloneRequest no_ids = cloneRequest();
    no_ids.ids.count = 0;
    EXPECT_TRUE(absl::IsInvalidArgument(launcher_->clone(no_ids).status()));
    CloneRequest overflow = cloneRequest();
    overflow.ids = {4294967290U, 100};
    EXPECT_THAT(messageOf(launcher_->clone(overflow).status()), HasSubstr("uid_map"));
    start();
    EXPECT_EQ(run({"true"}).status, 0);
}

// A group of this test's own in one hierarchy, gone at the end.
class TestGroup {
public:
    explicit TestGroup(const std::string& hierarchy) {
        if (::access((hierarchy + "/cgroup.procs").c_str(), F_OK) != 0) return;
        directory_ = hierarchy + "/hst-launcher-" + std::to_string(::getpid());
        EXPECT_EQ(::mkdir(directory_.c_str(), 0755), 0) << directory_;
    }
    ~TestGroup() {
        if (directory_.empty()) return;
        EXPECT_EQ(::rmdir(directory_.c_str()), 0) << directory_;
    }
    TestGroup(const TestGroup&) = delete;
    TestGroup& operator=(const TestGroup&) = delete;
    bool exists() const { return !directory_.empty(); }
    const std::string& directory() const { return directory_; }

private:
    std::string directory_;
};

TEST_F(LauncherTest, ChildStartsInItsGroups) {
    const TestGroup pids("/sys/fs/cgroup/pids");
    const TestGroup freezer("/sys/fs/cgroup/freezer");
    const TestGroup unified("/sys/fs/cgroup/unified");
    const TestGroup pure_v2("/sys/fs/cgroup");
    CloneRequest request = cloneRequest();
    size_t expected = 0;
    for (const TestGroup* group : {&pids, &freezer}) {
        if (!group->exists()) continue;
        request.cgroup_v1_directories.push_back(group->directory());
        ++expected;
    }
    for (const TestGroup* group : {&unified, &pure_v2}) {
        if (!group->exists()) continue;
        request.cgroup_v2_directory = group->directory();
        ++expected;
    }
    ASSERT_GT(expected, 0U) << "no cgroup hierarchy is mounted";

    auto child = launcher_->clone(request);
    ASSERT_TRUE(child.ok()) << child.status();
    killAtEnd(*child);
    absl::Status started = park(*child, plan());
    if (started.ok()) started = assign(*child, command({}));
    ASSERT_TRUE(started.ok()) << started;
    const std::string groups = *readFile("/proc/" + std::to_string(child->identity.pid) + "/cgroup");
    const std::string mark = "/hst-launcher-" + std::to_string(::getpid()) + "\n";
    size_t found = 0;
    for (size_t at = 0; (at = groups.find(mark, at)) != std::string::npos; ++at) ++found;
    EXPECT_EQ(found, expected) << groups;
    EXPECT_EQ(shell("grep -v ':/$' /proc/self/cgroup | grep -c hst-launcher").out, "0\n");
    EXPECT_EQ(shell("grep -c ':/$' /proc/self/cgroup").status, 0);

    const std::string launcher = *readFile("/proc/" + std::to_string(launcherPid()) + "/cgroup");
    EXPECT_EQ(launcher.find("hst-launcher"), std::string::npos) << launcher;
    connect();
    ASSERT_TRUE(sys::signalProcess(child->pidfd.get(), SIGKILL).ok());
    EXPECT_NE(awaitEnd(child->identity), -1);
}

TEST_F(LauncherTest, SliversOutliveTheirClient) {
    const Child child = start();
    launcher_.reset();
    EXPECT_TRUE(sys::openProcess(child.identity).ok());
    EXPECT_EQ(run({"true"}).status, 0);
    connect();
    ASSERT_TRUE(sys::signalProcess(child.pidfd.get(), SIGKILL).ok());
    EXPECT_EQ(awaitEnd(child.identity), SIGKILL);
}

TEST_F(LauncherTest, StatusesAreKeptUntilTaken) {
    const Child first = start({"sh", "-c", "exit 3"});
    EXPECT_EQ(WEXITSTATUS(awaitEnd(first.identity)), 3);
    const Child second = start({"sleep", "1000"});
    const Child third = start();
    launcher_.reset();
    for (const Child* child : {&second, &third}) {
        ASSERT_TRUE(sys::signalProcess(child->pidfd.get(), SIGKILL).ok());
        ASSERT_TRUE(sys::waitForEnd(child->pidfd.get(), kPatience).value_or(false));
    }
    connect();
    EXPECT_EQ(awaitEnd(second.identity), SIGKILL);
    EXPECT_EQ(awaitEnd(third.identity), SIGKILL);
}

// noded's stand-in: a process that has a sliver started and is killed.
TEST_F(LauncherTest, SliversOutliveAKilledClient) {
    launcher_.reset();
    ASSERT_TRUE(sys::becomeSubreaper().ok());  // of the launcher, when its parent is killed
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd answer(ends[0]);
    UniqueFd tell(ends[1]);
    const pid_t noded = ::fork();
    if (noded == 0) {
        connect();
        const Child child = start();
        const std::string pid = std::to_string(child.identity.pid);
        if (!writeAll(tell.get(), pid).ok()) ::_exit(1);
        tell.reset();
        for (;;) ::pause();
    }
    tell.reset();
    const std::string pid = readAll(answer.get()).value_or("");
    ASSERT_FALSE(pid.empty());
    ::kill(noded, SIGKILL);
    ASSERT_EQ(::waitpid(noded, nullptr, 0), noded);

    const auto identity = sys::identify(std::stoi(pid));
    ASSERT_TRUE(identity.ok()) << identity.status();
    const auto pidfd = sys::openProcess(*identity);
    ASSERT_TRUE(pidfd.ok()) << pidfd.status();
    const pid_t launcher = launcherPid();
    connect();
    EXPECT_EQ(run({"id", "-u"}).out, "0\n");
    ASSERT_TRUE(sys::signalProcess(pidfd->get(), SIGKILL).ok());
    EXPECT_EQ(awaitEnd(*identity), SIGKILL);
    launcher_.reset();
    EXPECT_EQ(::waitpid(launcher, nullptr, 0), launcher);
}

TEST_F(LauncherTest, AnotherLauncherFollowsOneThatDied) {
    ASSERT_TRUE(sys::becomeSubreaper().ok());  // of the sliver, when its launcher is killed
    const Child survivor = start();
    expectNoNews(survivor);
    const Defer end_survivor([&] {
        EXPECT_TRUE(sys::signalProcess(survivor.pidfd.get(), SIGKILL).ok());
        EXPECT_EQ(::waitpid(survivor.identity.pid, nullptr, 0), survivor.identity.pid);
    });
    const pid_t launcher = launcherPid();
    ASSERT_GT(launcher, 1);
    ASSERT_EQ(::kill(launcher, SIGKILL), 0);
    auto child = launcher_->clone(cloneRequest());
    if (!child.ok()) {
        EXPECT_TRUE(absl::IsUnavailable(child.status())) << child.status();
        child = launcher_->clone(cloneRequest());
    }
    ASSERT_TRUE(child.ok()) << child.status();
    EXPECT_TRUE(sys::openProcess(survivor.identity).ok());
    const sys::ProcessIdentity identity = child->identity;
    *child = Child();
    EXPECT_NE(awaitEnd(identity), -1);
}

TEST_F(LauncherTest, EndsWhenNobodyNeedsIt) {
    const auto launcher = sys::identify(launcherPid());
    ASSERT_TRUE(launcher.ok()) << launcher.status();
    launcher_.reset();
    const auto pidfd = sys::openProcess(*launcher);
    if (pidfd.ok()) {
        EXPECT_TRUE(sys::waitForEnd(pidfd->get(), kPatience).value_or(false));
    }
    connect();
}

TEST_F(LauncherTest, ServesSeveralThreads) {
    constexpr int kThreads = 4;
    std::vector<absl::StatusOr<Child>> children(kThreads);
    std::vector<std::thread> threads;
    for (auto& child : children) threads.emplace_back([&] { child = launcher_->clone(cloneRequest()); });
    for (std::thread& thread : threads) thread.join();
    for (auto& child : children) {
        ASSERT_TRUE(child.ok()) << child.status();
        const sys::ProcessIdentity identity = child->identity;
        *child = Child();
        EXPECT_NE(awaitEnd(identity), -1);
    }
}

TEST_F(LauncherTest, SurvivesMalformedMessages) {
    for (const std::string& message : {std::string("x"), std::string(8, '\xff'), std::string("\2\0\0\0", 4),
                                       std::string("\2\0\0\0\1\0\0\0\1\0\0\0\xff\xff\xff\xff", 16)}) {
        const auto socket = sys::connectSeqpacket(launcherSocket());
        ASSERT_TRUE(socket.ok());
        ASSERT_TRUE(sys::receiveMessage(socket->get(), kMaxMessageToNoded, kPatience).ok());
        ASSERT_TRUE(sys::sendMessage(socket->get(), message).ok());
        EXPECT_FALSE(sys::receiveMessage(socket->get(), kMaxMessageToNoded, kPatience).ok());
        connect();
    }
}

}  // namespace
}  // namespace homeslice::launcher
