// sliver-init: PID 1 of every sliver. Its executable is not readable inside (mode 0711, owned by the host's root),
// which makes the kernel treat the process as one of the host: nothing inside can trace it or read its memory or
// environment.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "noded/init/protocol.h"
#include "noded/init/setup_report.h"
#include "noded/init/supervisor.h"
#include "noded/sys/seqpacket.h"

namespace {

using namespace homeslice::init;

constexpr int kBadStart = 125;

void report(const SetupReport& message) {
    homeslice::sys::sendParts(kSetupFd, &message, sizeof(message), nullptr, 0, nullptr, 0);
    ::close(kSetupFd);
}

// They came through an exec; commands must not inherit them.
bool keepFromCommands() {
    for (const int fd : {kSetupFd, kControlFd, kLogDirectoryFd}) {
        if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return false;
    }
    return true;
}

bool parseId(const char* text, unsigned& id) {
    char* end = nullptr;
    errno = 0;
    const unsigned long value = ::strtoul(text, &end, 10);
    id = static_cast<unsigned>(value);
    return errno == 0 && end != text && *end == '\0' && value < ~0U;
}

bool parseOptions(int argc, char** argv, Supervisor::Options& options) {
    if (argc < 4 || !parseId(argv[1], options.uid) || !parseId(argv[2], options.gid)) return false;
    options.directory = argv[3];
    options.argv = argv + 4;
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    ::prctl(PR_SET_NAME, "sliver-init");
    ::signal(SIGPIPE, SIG_IGN);
    Supervisor::Options options;
    if (!parseOptions(argc, argv, options)) {
        report(failureReport(EINVAL, "sliver-init", "usage: sliver-init UID GID DIRECTORY [COMMAND ARGUMENT...]"));
        return kBadStart;
    }
    if (!keepFromCommands()) {
        report(failureReport(errno, "sliver-init", "inherited descriptors"));
        return kBadStart;
    }
    static Supervisor supervisor(options, kControlFd, kLogDirectoryFd);
    if (const char* failed_step = supervisor.start(); failed_step != nullptr) {
        report(failureReport(errno, "sliver-init", failed_step));
        return kBadStart;
    }
    report(readyReport());
    return supervisor.run();
}
