#include "noded/sys/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

// Not by <sys/pidfd.h>: glibc 2.36's gives its functions C++ linkage.
int pidfdOpen(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

// Field 22 of /proc/PID/stat. The second field, the name, may hold spaces and parentheses: count from the last one.
absl::StatusOr<uint64_t> startTime(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    auto stat = readFile(path);
    if (!stat.ok()) {
        const int err = errnoOf(stat.status());
        if (err == ENOENT || err == ESRCH) return notFound("no process " + std::to_string(pid));
        return stat.status();
    }
    size_t at = stat->rfind(')');
    constexpr int kFieldsAfterName = 22 - 2;
    for (int field = 0; field < kFieldsAfterName && at != std::string::npos; ++field) at = stat->find(' ', at + 1);
    if (at == std::string::npos) return internalError("malformed " + path);
    uint64_t ticks = 0;
    const char* end = stat->data() + stat->size();
    if (std::from_chars(stat->data() + at + 1, end, ticks).ec != std::errc()) return internalError("malformed " + path);
    return ticks;
}

}  // namespace

absl::StatusOr<std::string> bootId() {
    HS_ASSIGN_OR_RETURN(std::string id, readFile("/proc/sys/kernel/random/boot_id"));
    while (!id.empty() && id.back() == '\n') id.pop_back();
    return id;
}

absl::StatusOr<ProcessIdentity> identify(pid_t pid) {
    ProcessIdentity identity;
    identity.pid = pid;
    HS_ASSIGN_OR_RETURN(identity.start_time, startTime(pid));
    HS_ASSIGN_OR_RETURN(identity.boot_id, bootId());
    return identity;
}

absl::StatusOr<UniqueFd> openProcess(const ProcessIdentity& identity) {
    const std::string name = "process " + std::to_string(identity.pid);
    if (identity.pid <= 0) return invalidArgument("not a process id: " + std::to_string(identity.pid));
    UniqueFd pidfd(pidfdOpen(identity.pid));
    if (!pidfd) {
        if (errno == ESRCH) return notFound(name + " has ended");
        return errnoStatus(errno, "pidfd_open " + name);
    }
    // Only now: while the pidfd is held and the process lives, the number cannot pass to another.
    HS_ASSIGN_OR_RETURN(ProcessIdentity found, identify(identity.pid));
    if (found != identity) return notFound(name + " has ended, its number belongs to another");
    HS_ASSIGN_OR_RETURN(bool ended, waitForEnd(pidfd.get(), std::chrono::milliseconds(0)));
    if (ended) return notFound(name + " has ended");
    return pidfd;
}

absl::Status signalProcess(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 || errno == ESRCH) return absl::OkStatus();
    return errnoStatus(errno, "pidfd_send_signal");
}

absl::StatusOr<bool> waitForEnd(int pidfd, std::chrono::milliseconds timeout) {
    const auto deadline = Monotonic::now() + timeout;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Monotonic::now()).count();
        pollfd entry{pidfd, POLLIN, 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30)));
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) return errnoStatus(errno, "poll(pidfd)");
    }
}

absl::Status becomeSubreaper() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return errnoStatus(errno, "prctl(PR_SET_CHILD_SUBREAPER)");
    return absl::OkStatus();
}

}  // namespace homeslice::sys
