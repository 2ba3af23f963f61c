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

#include "noded/init/user.h"

namespace homeslice::init {
namespace {

constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

[[noreturn]] void giveUp(const Command& command, const char* what, const char* why, int status) {
    ::dprintf(STDERR_FILENO, "sliver-init: %s: %s\n", what, why);
    if (command.failure >= 0) static_cast<void>(::write(command.failure, "x", 1) == 1);
    ::_exit(status);
}

[[noreturn]] void giveUp(const Command& command, const char* what) {
    const int error = errno;
    giveUp(command, what, ::strerror(error), error == ENOENT ? kNotFound : kNotExecutable);
}

void takeStreams(const Command& command) {
    for (int target = 0; target < 3; ++target) {
        const int source = command.streams[target] >= 0 ? command.streams[target] : ::open("/dev/null", O_RDWR);
        if (source < 0 || (source != target && ::dup2(source, target) < 0)) ::_exit(kNotExecutable);
    }
    if (::isatty(STDIN_FILENO) == 1) ::ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

// They are marked close-on-exec, but the user's files are read and the working directory is entered before:
// "/proc/self/fd/5" is the log directory, on the host, for as long as that is open.
void closeTheRest(const Command& command) {
    const auto kept = static_cast<unsigned>(command.failure < 0 ? STDERR_FILENO : command.failure);
    const bool below = kept <= STDERR_FILENO + 1U || ::close_range(STDERR_FILENO + 1, kept - 1, 0) == 0;
    if (!below || ::close_range(kept + 1, ~0U, 0) < 0) ::_exit(kNotExecutable);
}

// PID 1 blocks SIGCHLD and ignores SIGPIPE.
void resetSignals() {
    ::signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

Identity identify(const Command& command) {
    Identity identity;
    identity.uid = command.uid;
    identity.gid = command.gid;
    if (command.user[0] == '\0') return identity;
    const char* problem = resolveUser(command.user, UserFiles(), identity);
    if (problem != nullptr) giveUp(command, command.user, problem, kNotExecutable);
    return identity;
}

bool sets(char** environment, const char* name) {
    const size_t length = ::strlen(name);
    for (char** variable = environment; variable != nullptr && *variable != nullptr; ++variable) {
        if (::strncmp(*variable, name, length) == 0 && (*variable)[length] == '=') return true;
    }
    return false;
}

void takeHome(const Command& command, Identity& identity) {
    const bool known = ::getenv("HOME") != nullptr;
    if (command.user[0] == '\0') {
        if (known) return;
        findHome(identity.uid, UserFiles(), identity.home);
    } else if (sets(command.environment, "HOME")) {
        return;
    }
    ::setenv("HOME", identity.home[0] != '\0' ? identity.home : identity.uid == 0 ? "/root" : "/", 1);
}

void takeEnvironment(const Command& command, Identity& identity) {
    for (char** variable = command.environment; variable != nullptr && *variable != nullptr; ++variable) {
        ::putenv(*variable);
    }
    static char default_path[sizeof(kDefaultPath)];
    if (::getenv("PATH") == nullptr) ::putenv(std::strcpy(default_path, kDefaultPath));
    takeHome(command, identity);
}

void takeIdentity(const Command& command, const Identity& identity) {
    // mesg(1), write(1) and job control look at the owner. A failure is one of the sliver's privileges, not ours.
    if (command.terminal) static_cast<void>(::fchown(STDIN_FILENO, identity.uid, static_cast<gid_t>(-1)));
    if (identity.uid == 0 && identity.gid == 0 && identity.group_count == 0) return;
    if (::setgroups(identity.group_count, identity.groups) < 0) giveUp(command, "setgroups");
    if (::setresgid(identity.gid, identity.gid, identity.gid) < 0) giveUp(command, "setresgid");
    if (::setresuid(identity.uid, identity.uid, identity.uid) < 0) giveUp(command, "setresuid");
}

[[noreturn]] void become(const Command& command) {
    ::setsid();
    takeStreams(command);
    closeTheRest(command);
    resetSignals();
    Identity identity = identify(command);
    takeEnvironment(command, identity);
    takeIdentity(command, identity);
    if (::chdir(command.directory) < 0) giveUp(command, command.directory);
    ::execvp(command.argv[0], command.argv);
    giveUp(command, command.argv[0]);
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
