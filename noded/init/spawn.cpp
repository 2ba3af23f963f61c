#include "noded/init/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace homeslice::init {
namespace {

constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

[[noreturn]] void giveUp(const char* what) {
    const int error = errno;
    ::dprintf(STDERR_FILENO, "sliver-init: %s: %s\n", what, ::strerror(error));
    ::_exit(error == ENOENT ? kNotFound : kNotExecutable);
}

void takeStreams(const Command& command) {
    for (int target = 0; target < 3; ++target) {
        const int source = command.streams[target] >= 0 ? command.streams[target] : ::open("/dev/null", O_RDWR);
        if (source < 0 || (source != target && ::dup2(source, target) < 0)) ::_exit(kNotExecutable);
    }
    if (::isatty(STDIN_FILENO) == 1) ::ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

// They are marked close-on-exec, but the working directory is entered before: "/proc/self/fd/5" is the log directory,
// on the host, for as long as that is open.
void closeTheRest() {
    if (::close_range(STDERR_FILENO + 1, ~0U, 0) < 0) ::_exit(kNotExecutable);
}

void resetSignals() {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void takeEnvironment(const Command& command) {
    for (char** variable = command.environment; variable != nullptr && *variable != nullptr; ++variable) {
        ::putenv(*variable);
    }
    static char default_path[sizeof(kDefaultPath)];
    if (::getenv("PATH") == nullptr) ::putenv(std::strcpy(default_path, kDefaultPath));
    if (::getenv("HOME") == nullptr) ::setenv("HOME", command.uid == 0 ? "/root" : "/", 0);
}

void takeIdentity(const Command& command) {
    if (command.uid == 0 && command.gid == 0) return;
    if (::setgroups(0, nullptr) < 0) giveUp("setgroups");
    if (::setresgid(command.gid, command.gid, command.gid) < 0) giveUp("setresgid");
    if (::setresuid(command.uid, command.uid, command.uid) < 0) giveUp("setresuid");
}

[[noreturn]] void become(const Command& command) {
    ::setsid();
    takeStreams(command);
    closeTheRest();
    resetSignals();
    takeEnvironment(command);
    takeIdentity(command);
    if (::chdir(command.directory) < 0) giveUp(command.directory);
    ::execvp(command.argv[0], command.argv);
    giveUp(command.argv[0]);
}

}  // namespace

pid_t spawn(const Command& command) {
    const pid_t pid = ::fork();
    if (pid == 0) become(command);
    return pid < 0 ? -errno : pid;
}

int exitStatus(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace homeslice::init
