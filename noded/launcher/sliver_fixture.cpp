#include "noded/launcher/sliver_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/mount.h"
#include "noded/sys/seccomp.h"
#include "tests/support/privileges.h"

namespace homeslice::launcher {
namespace {

// Static busybox on a tmpfs that belongs to the sliver's root.
absl::StatusOr<UniqueFd> makeRoot(const IdRange& ids) {
    const std::string owner = std::to_string(ids.first);
    HS_ASSIGN_OR_RETURN(UniqueFd root,
                        sys::makeFileSystem("tmpfs", {{"mode", "0755"}, {"uid", owner}, {"gid", owner}}));
    const std::string path = "/proc/self/fd/" + std::to_string(root.get());
    for (const char* directory : {"/bin", "/etc", "/tmp"}) {
        HS_RETURN_IF_ERROR(makeDirectories(path + directory));
        if (::chown((path + directory).c_str(), ids.first, ids.first) < 0) return errnoStatus(errno, "chown");
    }
    std::error_code error;
    std::filesystem::copy_file("/bin/busybox", path + "/bin/busybox", error);
    if (error) return errnoStatus(error.value(), "copy /bin/busybox");
    for (const char* name : {"sh", "cat", "echo", "id", "sleep", "true", "ls", "grep", "kill", "mkdir", "readlink",
                             "hostname", "touch", "env", "stat", "stty", "wc", "tty", "rm"}) {
        std::filesystem::create_symlink("busybox", path + "/bin/" + name, error);
    }
    HS_RETURN_IF_ERROR(replaceFile(path + "/etc/plain", "not a program\n", 0644));
    return root;
}

absl::StatusOr<std::string> testFilter() {
    sys::SeccompProfile profile;
    profile.default_action = sys::SeccompAction::allow;
    profile.rules.push_back({"io_uring_setup", sys::SeccompAction::fail, ENOSYS, {}});
    profile.rules.push_back({"mkdir", sys::SeccompAction::fail, EXDEV, {}});
    profile.rules.push_back({"mkdirat", sys::SeccompAction::fail, EXDEV, {}});
    return sys::compileProfile(profile);
}

struct Pipe {
    UniqueFd read_end;
    UniqueFd write_end;
};

Pipe makePipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

void SliverFixture::SetUp() {
    HS_REQUIRE_ROOT();
    directory_ = ::testing::TempDir() + "hst-sliver-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    ASSERT_TRUE(makeDirectories(logDirectory()).ok());
    ASSERT_EQ(::chown(logDirectory().c_str(), kIds.first, kIds.first), 0);
    connect();
}

void SliverFixture::TearDown() {
    if (directory_.empty()) return;
    for (const sys::ProcessIdentity& identity : started_) {
        const auto pidfd = sys::openProcess(identity);
        if (!pidfd.ok()) continue;
        EXPECT_TRUE(sys::signalProcess(pidfd->get(), SIGKILL).ok());
        EXPECT_TRUE(sys::waitForEnd(pidfd->get(), kPatience).value_or(false));
    }
    // What is not taken keeps the launcher alive.
    if (launcher_ == nullptr) connect();
    for (const sys::ProcessIdentity& identity : started_) awaitEnd(identity);
    launcher_.reset();
    EXPECT_TRUE(removeTree(directory_).ok());
}

void SliverFixture::connect() {
    auto launcher =
        Launcher::connect(HS_LAUNCHER, launcherSocket(), [this](const sys::ProcessIdentity& who, int status) {
            const std::lock_guard lock(mutex_);
            ends_[who.pid] = status;
            changed_.notify_all();
        });
    ASSERT_TRUE(launcher.ok()) << launcher.status();
    launcher_ = std::move(*launcher);
}

CloneRequest SliverFixture::cloneRequest() {
    CloneRequest request;
    request.key = "web/2";
    request.ids = kIds;
    return request;
}

LaunchPlan SliverFixture::plan() {
    LaunchPlan plan;
    plan.hostname = "web-2";
    plan.masked_paths = {"/proc/kcore", "/proc/acpi", "/sys/firmware", "/proc/not-there"};
    plan.read_only_paths = {"/proc/sys", "/proc/irq", "/not-there"};
    plan.kept_capabilities = kCapabilities;
    auto filter = testFilter();
    auto root = makeRoot(kIds);
    auto control = init::listenControlSocket(controlSocket());
    auto log = openFile(logDirectory(), O_PATH | O_DIRECTORY);
    auto program = openFile(HS_SLIVER_INIT, O_PATH);
    for (const absl::Status& status :
         {filter.status(), root.status(), control.status(), log.status(), program.status()}) {
        EXPECT_TRUE(status.ok()) << status;
        if (!status.ok()) return plan;
    }
    plan.seccomp_program = std::move(*filter);
    plan.root_mount = std::move(*root);
    plan.control_socket = std::move(*control);
    plan.log_directory = std::move(*log);
    plan.init_program = std::move(*program);
    return plan;
}

Command SliverFixture::command(std::vector<std::string> argv) {
    Command command;
    command.argv = std::move(argv);
    command.env = {"GREETING=hello"};
    return command;
}

Child SliverFixture::start(std::vector<std::string> argv) { return startCommand(command(std::move(argv))); }

Child SliverFixture::startCommand(const Command& command) {
    auto child = launcher_->clone(cloneRequest());
    EXPECT_TRUE(child.ok()) << child.status();
    if (!child.ok()) return {};
    killAtEnd(*child);
    absl::Status started = park(*child, plan());
    if (started.ok()) started = assign(*child, command);
    EXPECT_TRUE(started.ok()) << started;
    return std::move(*child);
}

void SliverFixture::killAtEnd(const Child& child) { started_.push_back(child.identity); }

void SliverFixture::expectNoNews(const Child& child) { std::erase(started_, child.identity); }

Output SliverFixture::run(std::vector<std::string> argv, const std::string& input) {
    Pipe in = makePipe();
    Pipe out = makePipe();
    Pipe err = makePipe();
    init::ExecRequest request;
    request.argv = std::move(argv);
    request.stdin_fd = std::move(in.read_end);
    request.stdout_fd = std::move(out.write_end);
    request.stderr_fd = std::move(err.write_end);
    auto command = init::exec(controlSocket(), std::move(request));
    EXPECT_TRUE(command.ok()) << command.status();
    if (!command.ok()) return {};
    EXPECT_TRUE(writeAll(in.write_end.get(), input).ok());
    in.write_end.reset();
    Output output;
    std::thread errors([&] { output.err = readAll(err.read_end.get()).value_or("(unreadable)"); });
    output.out = readAll(out.read_end.get()).value_or("(unreadable)");
    errors.join();
    const auto status = (*command)->wait();
    EXPECT_TRUE(status.ok()) << status.status();
    output.status = status.value_or(-1);
    return output;
}

int SliverFixture::awaitEnd(const sys::ProcessIdentity& identity) {
    std::unique_lock lock(mutex_);
    const bool told = changed_.wait_for(lock, kPatience, [&] { return ends_.count(identity.pid) > 0; });
    return told ? ends_[identity.pid] : -1;
}

}  // namespace homeslice::launcher
