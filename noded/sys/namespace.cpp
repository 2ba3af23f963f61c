#include "noded/sys/namespace.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/defer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

[[noreturn]] void waitToBeKilled() {
    for (;;) ::pause();
}

// A child in a new user namespace that waits to be killed.
absl::StatusOr<pid_t> startHolder() {
    clone_args args{};
    args.flags = CLONE_NEWUSER;
    args.exit_signal = SIGCHLD;
    const pid_t pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
    if (pid < 0) return errnoStatus(errno, "clone3(CLONE_NEWUSER)");
    if (pid == 0) waitToBeKilled();
    return pid;
}

}  // namespace

absl::StatusOr<UniqueFd> openNamespace(pid_t pid, const std::string& kind) {
    return openFile("/proc/" + std::to_string(pid) + "/ns/" + kind, O_RDONLY);
}

absl::StatusOr<NamespaceId> namespaceId(int namespace_fd) {
    struct stat about {};
    if (::fstat(namespace_fd, &about) < 0) return errnoStatus(errno, "fstat of a namespace");
    return NamespaceId{about.st_dev, about.st_ino};
}

absl::StatusOr<NetworkNamespaceScope> NetworkNamespaceScope::enter(int namespace_fd) {
    HS_ASSIGN_OR_RETURN(UniqueFd home, openFile("/proc/thread-self/ns/net", O_RDONLY));
    if (::setns(namespace_fd, CLONE_NEWNET) < 0) return errnoStatus(errno, "setns(net)");
    return NetworkNamespaceScope(std::move(home));
}

NetworkNamespaceScope::~NetworkNamespaceScope() {
    if (!home_ || ::setns(home_.get(), CLONE_NEWNET) == 0) return;
    logError("cannot return to the own network namespace: errno {}", errno);
    std::abort();
}

absl::StatusOr<UniqueFd> makeUserNamespace(uint32_t first, uint32_t count) {
    HS_ASSIGN_OR_RETURN(const pid_t holder, startHolder());
    const Defer end([holder] {
        ::kill(holder, SIGKILL);
        while (::waitpid(holder, nullptr, 0) < 0 && errno == EINTR) continue;
    });
    const std::string process = "/proc/" + std::to_string(holder);
    const std::string map = "0 " + std::to_string(first) + " " + std::to_string(count) + "\n";
    HS_RETURN_IF_ERROR(writeControlFile(process + "/uid_map", map));
    HS_RETURN_IF_ERROR(writeControlFile(process + "/gid_map", map));
    return openNamespace(holder, "user");
}

}  // namespace homeslice::sys
