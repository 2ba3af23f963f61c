// sliver-init: PID 1 of every sliver. Its executable is not readable inside (mode 0711, owned by the host's root),
// which makes the kernel treat the process as one of the host: nothing inside can trace it or read its memory or
// environment.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "noded/init/parked.h"
#include "noded/init/protocol.h"
#include "noded/init/setup_report.h"
#include "noded/init/supervisor.h"
#include "noded/sys/seqpacket.h"

namespace {

using namespace homeslice::init;

constexpr int kBadStart = 125;

void send(const SetupReport& message) {
    homeslice::sys::sendParts(kSetupFd, &message, sizeof(message), nullptr, 0, nullptr, 0);
}

// They came through an exec; commands must not inherit them.
bool keepFromCommands() {
    for (const int fd : {kSetupFd, kControlFd, kLogDirectoryFd}) {
        if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return false;
    }
    return true;
}

bool parseNumber(const char* text, uint64_t most, uint64_t& number) {
    char* end = nullptr;
    errno = 0;
    number = ::strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && number <= most;
}

// assignment.h tells the order.
bool parseOptions(size_t count, char** words, Supervisor::Options& options) {
    constexpr uint64_t kMaxId = ~0U - 1;
    uint64_t uid = 0;
    uint64_t gid = 0;
    uint64_t log_files = 0;
    if (count < 6 || !parseNumber(words[0], kMaxId, uid) || !parseNumber(words[1], kMaxId, gid)) return false;
    if (!parseNumber(words[4], ~uint64_t{0}, options.log.max_bytes)) return false;
    if (!parseNumber(words[5], kMaxLogFiles, log_files) || log_files == 0) return false;
    options.uid = static_cast<uid_t>(uid);
    options.gid = static_cast<gid_t>(gid);
    options.user = words[2];
    options.directory = words[3];
    options.log.files = static_cast<uint32_t>(log_files);
    options.argv = words + 6;
    return true;
}

int fail(const char* step) {
    send(failureReport(errno, "sliver-init", step));
    return kBadStart;
}

}  // namespace

int main() {
    ::prctl(PR_SET_NAME, "sliver-init");
    ::signal(SIGPIPE, SIG_IGN);
    if (!keepFromCommands()) return fail("inherited descriptors");
    static Supervisor supervisor(kControlFd, kLogDirectoryFd);
    if (const char* failed = supervisor.prepare(); failed != nullptr) return fail(failed);
    send(readyReport());
    size_t count = 0;
    char** words = nullptr;
    if (const char* failed = awaitAssignment(kSetupFd, count, words); failed != nullptr) {
        return errno == 0 ? kBadStart : fail(failed);
    }
    Supervisor::Options options;
    if (!parseOptions(count, words, options)) {
        errno = EINVAL;
        return fail("words of the assignment");
    }
    if (const char* failed = supervisor.start(options); failed != nullptr) return fail(failed);
    send(readyReport());
    const int status = supervisor.run();
    // This tells noded of the end. The kernel would close it behind the take-down of the mounts, for which it waits.
    ::close(kSetupFd);
    return status;
}
