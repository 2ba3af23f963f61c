#include "ctl/lab/processes.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "base/status.h"
#include "ctl/lab/network.h"

namespace homeslice::ctl::lab {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kLogMode = 0644;

// What a child needs, made before fork(2): between fork and exec it may call nothing but the kernel.
struct Launch {
    UniqueFd netns;
    UniqueFd log;
    UniqueFd null;
    UniqueFd report;  // close-on-exec: end of file means that exec has succeeded
    UniqueFd program;
    std::vector<char*> argv;
    bool unprivileged = false;
};

enum class Step : int { session, netns, files, identity, exec };

const char* toString(Step step) {
    switch (step) {
        case Step::session:
            return "setsid";
        case Step::netns:
            return "setns(network)";
        case Step::files:
            return "redirect to the log";
        case Step::identity:
            return "become nobody";
        case Step::exec:
            return "exec";
    }
    return "";
}

struct Failure {
    Step step{};
    int error = 0;
};

[[noreturn]] void fail(const Launch& launch, Step step) {
    const Failure failure{.step = step, .error = errno};
    const ssize_t ignored = ::write(launch.report.get(), &failure, sizeof failure);
    static_cast<void>(ignored);
    ::_exit(EXIT_FAILURE);
}

bool redirect(const Launch& launch) {
    return ::dup2(launch.null.get(), STDIN_FILENO) >= 0 && ::dup2(launch.log.get(), STDOUT_FILENO) >= 0 &&
           ::dup2(launch.log.get(), STDERR_FILENO) >= 0 && ::chdir("/") == 0;
}

// The system calls themselves: glibc's wrappers ask all threads to follow, and there are none in a forked child.
bool becomeNobody() {
    return ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) == 0 &&
           ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

[[noreturn]] void runChild(const Launch& launch) {
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char* const environment[] = {path, nullptr};
    if (::setsid() < 0) fail(launch, Step::session);
    if (::setns(launch.netns.get(), CLONE_NEWNET) != 0) fail(launch, Step::netns);
    if (!redirect(launch)) fail(launch, Step::files);
    if (!launch.unprivileged) {
        ::execve(launch.argv[0], launch.argv.data(), environment);
        fail(launch, Step::exec);
    }
    if (!becomeNobody()) fail(launch, Step::identity);
    // By descriptor: nobody may be unable to walk to the program, below /root for instance.
    ::syscall(SYS_execveat, launch.program.get(), "", launch.argv.data(), environment, AT_EMPTY_PATH);
    fail(launch, Step::exec);
}

absl::StatusOr<Launch> prepareLaunch(const Program& program, UniqueFd report) {
    Launch launch{.netns = {},
                  .log = {},
                  .null = {},
                  .report = std::move(report),
                  .program = {},
                  .argv = {},
                  .unprivileged = program.unprivileged};
    HS_ASSIGN_OR_RETURN(launch.netns, openNamespace(kNamespacePrefix + program.host));
    HS_ASSIGN_OR_RETURN(launch.log, openFile(program.log(), O_WRONLY | O_CREAT | O_APPEND, kLogMode));
    HS_ASSIGN_OR_RETURN(launch.null, openFile("/dev/null", O_RDONLY));
    HS_ASSIGN_OR_RETURN(launch.program, openFile(program.argv[0], O_PATH));
    for (const std::string& word : program.argv) launch.argv.push_back(const_cast<char*>(word.c_str()));
    launch.argv.push_back(nullptr);
    return launch;
}

struct ProcessStat {
    ProcessId process;
    bool ended = false;
};

// Fields 3 and 22 of proc_pid_stat(5). The name, field 2, may hold blanks and parentheses.
absl::StatusOr<ProcessStat> readStat(pid_t pid) {
    constexpr int kFieldsBetween = 18;
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    const absl::StatusOr<std::string> text = readFile(path);
    // ESRCH, when it ends while it is read, is the same as ENOENT here.
    if (!text.ok()) return notFound("process " + std::to_string(pid) + " has ended");
    std::istringstream fields(text->substr(text->rfind(')') + 1));
    std::string state;
    std::string skipped;
    ProcessStat stat{.process = {.pid = pid, .start_time = 0}, .ended = false};
    fields >> state;
    for (int i = 0; i < kFieldsBetween; ++i) fields >> skipped;
    if (!(fields >> stat.process.start_time)) return dataLoss(path + " is malformed");
    stat.ended = state == "Z" || state == "X";
    return stat;
}

std::vector<pollfd> pollSetOf(const std::vector<UniqueFd>& pidfds) {
    std::vector<pollfd> set;
    for (const UniqueFd& fd : pidfds) set.push_back({.fd = fd.get(), .events = POLLIN, .revents = 0});
    return set;
}

}  // namespace

absl::StatusOr<ProcessId> spawnProgram(const Program& program) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return errnoStatus(errno, "pipe2");
    const UniqueFd reports(ends[0]);
    HS_ASSIGN_OR_RETURN_CTX(Launch launch, prepareLaunch(program, UniqueFd(ends[1])), "start " + program.name);

    const pid_t pid = ::fork();
    if (pid < 0) return errnoStatus(errno, "start " + program.name + ": fork");
    if (pid == 0) runChild(launch);
    launch.report.reset();

    Failure failure;
    ssize_t got = 0;
    while ((got = ::read(reports.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
    }
    if (got == 0) {
        // Also when it has ended already: it is our child, and not waited for.
        HS_ASSIGN_OR_RETURN(const ProcessStat stat, readStat(pid));
        return stat.process;
    }
    ::waitpid(pid, nullptr, 0);
    return errnoStatus(failure.error, "start " + program.name + ": " + toString(failure.step) + " " + program.argv[0]);
}

absl::StatusOr<ProcessId> identify(pid_t pid) {
    HS_ASSIGN_OR_RETURN(const ProcessStat stat, readStat(pid));
    if (stat.ended) return notFound("process " + std::to_string(pid) + " has ended");
    return stat.process;
}

bool isAlive(const ProcessId& process) {
    const absl::StatusOr<ProcessId> now = identify(process.pid);
    return now.ok() && *now == process;
}

absl::StatusOr<UniqueFd> openProcess(const ProcessId& process) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    // Looked at after the open: had the pid passed to another process before, its start time would tell.
    if (!fd.valid() || !isAlive(process)) return notFound("process " + std::to_string(process.pid) + " has ended");
    return fd;
}

int waitForAnyEnd(const std::vector<UniqueFd>& pidfds, std::chrono::milliseconds timeout) {
    std::vector<pollfd> set = pollSetOf(pidfds);
    if (::poll(set.data(), set.size(), static_cast<int>(timeout.count())) <= 0) return -1;
    const auto ended = std::find_if(set.begin(), set.end(), [](const pollfd& one) { return one.revents != 0; });
    return ended == set.end() ? -1 : static_cast<int>(ended - set.begin());
}

absl::Status killAll(const std::vector<pid_t>& pids) {
    constexpr std::chrono::seconds kPatience{10};
    std::vector<UniqueFd> pidfds;
    for (const pid_t pid : pids) {
        UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (fd.valid() && ::syscall(SYS_pidfd_send_signal, fd.get(), SIGKILL, nullptr, 0) == 0) {
            pidfds.push_back(std::move(fd));
        }
    }
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!pidfds.empty()) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        const int ended = left.count() > 0 ? waitForAnyEnd(pidfds, left) : -1;
        if (ended < 0) return deadlineExceeded(std::to_string(pidfds.size()) + " killed processes do not end");
        pidfds.erase(pidfds.begin() + ended);
    }
    return absl::OkStatus();
}

}  // namespace homeslice::ctl::lab
