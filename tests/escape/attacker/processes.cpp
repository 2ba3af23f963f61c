// Ways into other processes, and to more rights for the own one.
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>

#include "attempt.h"

namespace homeslice::attacker {
namespace {

int target = 0;  // in the target this has the same address, when it is a child
int* const kTargetAddress = &target;

// The process that PID names; "child": one of the attacker's own, which lives until it is killed.
class Victim {
public:
    explicit Victim(const std::string& name) {
        if (name != "child") {
            pid_ = std::atoi(name.c_str());
            return;
        }
        pid_ = child_ = ::fork();
        while (pid_ == 0) ::pause();
    }
    ~Victim() {
        if (child_ <= 0) return;
        ::kill(child_, SIGKILL);
        exitStatusOf(child_);
    }
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;

    int pid() const { return pid_; }
    std::string file(const char* name) const { return "/proc/" + std::to_string(pid_) + "/" + name; }

private:
    int pid_ = 0;
    int child_ = 0;
};

int trace(const Arguments& arguments) {
    const Victim victim(arguments.at(0));
    return answer(::ptrace(PTRACE_SEIZE, victim.pid(), nullptr, nullptr));
}

int copyMemory(const Arguments& arguments, bool write) {
    const Victim victim(arguments.at(0));
    int copy = 0;
    const iovec here{&copy, sizeof copy};
    const iovec there{kTargetAddress, sizeof copy};
    return answer(write ? ::process_vm_writev(victim.pid(), &here, 1, &there, 1, 0)
                        : ::process_vm_readv(victim.pid(), &here, 1, &there, 1, 0));
}

int stealDescriptor(const Arguments& arguments) {
    const Victim victim(arguments.at(0));
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, victim.pid(), 0));
    if (pidfd < 0) return errno;
    return answer(::syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

// open_of PID FILE [write]
int openOf(const Arguments& arguments) {
    const Victim victim(arguments.at(0));
    const int mode = arguments.size() > 2 ? O_RDWR : O_RDONLY;
    return answer(::open(victim.file(arguments.at(1).c_str()).c_str(), mode | O_NONBLOCK));
}

int readLinkOf(const Arguments& arguments) {
    const Victim victim(arguments.at(0));
    char path[4096];
    return answer(::readlink(victim.file(arguments.at(1).c_str()).c_str(), path, sizeof path));
}

// change_directory PATH
int changeDirectory(const Arguments& arguments) { return answer(::chdir(arguments.at(0).c_str())); }

// kill PID SIGNAL
int sendSignal(const Arguments& arguments) {
    return answer(::kill(std::atoi(arguments.at(0).c_str()), std::atoi(arguments.at(1).c_str())));
}

int raiseCapabilities(const Arguments&) {
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    __user_cap_data_struct data[2] = {};
    if (::syscall(SYS_capget, &header, data) < 0) return errno;
    data[0].permitted |= 1U << CAP_SYS_ADMIN;
    data[0].effective |= 1U << CAP_SYS_ADMIN;
    return answer(::syscall(SYS_capset, &header, data));
}

// As uid 1000, executes a copy of this program that belongs to root and has the set-user-id bit.
int setUserId(const Arguments&) {
    constexpr const char* kCopy = "/tmp/hst-set-user-id";
    const std::string copy = std::string("cp /proc/") + std::to_string(::getpid()) + "/exe " + kCopy;
    if (std::system(copy.c_str()) != 0 || ::chown(kCopy, 0, 0) < 0 || ::chmod(kCopy, 04755) < 0) return errno;
    const int result = inChild([] {
        if (::setresgid(1000, 1000, 1000) < 0 || ::setresuid(1000, 1000, 1000) < 0) return errno;
        ::execl(kCopy, kCopy, "am_root", nullptr);
        return errno;
    });
    ::unlink(kCopy);
    return result;
}
int amRoot(const Arguments&) { return ::geteuid() == 0 ? 0 : EPERM; }

int beRealTime(const Arguments&) {
    sched_param parameters{};
    parameters.sched_priority = 1;
    return answer(::sched_setscheduler(0, SCHED_FIFO, &parameters));
}
int beFavoured(const Arguments&) { return answer(::setpriority(PRIO_PROCESS, 0, -20)); }
int raiseLimit(const Arguments&) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return errno;
    ++limit.rlim_max;
    return answer(::setrlimit(RLIMIT_NOFILE, &limit));
}

// as_user UID ATTEMPT...
int asUser(const Arguments& arguments) {
    const auto id = static_cast<unsigned>(std::atoi(arguments.at(0).c_str()));
    if (::setresgid(id, id, id) < 0 || ::setresuid(id, id, id) < 0) return errno;
    return attempt({arguments.begin() + 1, arguments.end()});
}

constexpr Attempt kAttempts[] = {
    {"ptrace", trace},
    {"process_vm_readv", [](const Arguments& arguments) { return copyMemory(arguments, false); }},
    {"process_vm_writev", [](const Arguments& arguments) { return copyMemory(arguments, true); }},
    {"pidfd_getfd", stealDescriptor},
    {"open_of", openOf},
    {"readlink_of", readLinkOf},
    {"change_directory", changeDirectory},
    {"kill", sendSignal},
    {"raise_capabilities", raiseCapabilities},
    {"set_user_id", setUserId},
    {"am_root", amRoot},
    {"be_real_time", beRealTime},
    {"be_favoured", beFavoured},
    {"raise_limit", raiseLimit},
    {"as_user", asUser},
};

}  // namespace

std::span<const Attempt> processAttempts() { return kAttempts; }

}  // namespace homeslice::attacker
