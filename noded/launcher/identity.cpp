#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "noded/launcher/steps.h"

namespace homeslice::launcher {
namespace {

// The kernel's last capability is where PR_CAPBSET_READ begins to fail.
int capabilityCount() {
    int number = 0;
    while (number < 64 && ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0) ++number;
    return number;
}

}  // namespace

void closeInherited(const Setup& setup) {
    const auto kept = static_cast<unsigned>(setup.socket());
    if (kept > 3) setup.require(::close_range(3, kept - 1, 0) == 0, "close_range");
    setup.require(::close_range(kept + 1, ~0U, 0) == 0, "close_range");
}

void resetSignals(const Setup& setup) {
    for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    setup.require(::sigprocmask(SIG_SETMASK, &none, nullptr) == 0, "reset signals");
    ::umask(022);
}

void leaveSession(const Setup& setup) {
    setup.require(::setsid() >= 0, "setsid");
    // The keys of the host's session are reachable by whoever holds its keyring, whatever its ids.
    const long keyring = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
    setup.require(keyring >= 0 || errno == ENOSYS, "join session keyring");
}

void becomeRootInside(const Setup& setup) {
    setup.require(::setgroups(0, nullptr) == 0, "setgroups");
    setup.require(::setresgid(0, 0, 0) == 0, "setresgid");
    setup.require(::setresuid(0, 0, 0) == 0, "setresuid");
}

void enterCgroupNamespace(const Setup& setup) {
    setup.require(::unshare(CLONE_NEWCGROUP) == 0, "unshare", "cgroup namespace");
}

void dropCapabilities(const Setup& setup, uint64_t kept) {
    for (int number = capabilityCount() - 1; number >= 0; --number) {
        if ((kept >> number & 1) != 0) continue;
        setup.require(::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0, "drop capabilities", "bounding set");
    }
    setup.require(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "drop capabilities", "ambient set");
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    __user_cap_data_struct data[2] = {};
    for (unsigned half = 0; half < 2; ++half) {
        const auto bits = static_cast<uint32_t>(kept >> (32 * half));
        data[half].permitted = bits;
        data[half].effective = bits;
    }
    setup.require(::syscall(SYS_capset, &header, data) == 0, "drop capabilities", "capset");
}

void forbidNewPrivileges(const Setup& setup) {
    setup.require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
}

void loadSeccomp(const Setup& setup, const void* program, size_t size) {
    sock_fprog filter{};
    errno = EINVAL;
    setup.require(size > 0 && size % sizeof(sock_filter) == 0, "seccomp", "size of the program");
    filter.len = static_cast<unsigned short>(size / sizeof(sock_filter));
    filter.filter = static_cast<sock_filter*>(const_cast<void*>(program));
    setup.require(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0, "seccomp", "load filter");
}

}  // namespace homeslice::launcher
