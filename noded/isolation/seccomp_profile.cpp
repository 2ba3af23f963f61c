#include "noded/isolation/seccomp_profile.h"

#include <linux/if_packet.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>

namespace homeslice::isolation {
namespace {

using sys::SeccompAction;
using Operator = sys::SeccompComparison::Operator;
using Calls = std::vector<const char*>;

// Files and directories: reading, writing, linking, locking, watching, extended attributes.
const Calls kFiles = {
    "access",
    "chdir",
    "chmod",
    "chown",
    "close",
    "close_range",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fcntl",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futimesat",
    "getcwd",
    "getdents",
    "getdents64",
    "getxattr",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "ioctl",
    "lchown",
    "lgetxattr",
    "link",
    "linkat",
    "listxattr",
    "llistxattr",
    "lremovexattr",
    "lseek",
    "lsetxattr",
    "lstat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "name_to_handle_at",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pipe",
    "pipe2",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "removexattr",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "setxattr",
    "splice",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "syncfs",
    "tee",
    "truncate",
    "umask",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
    "vmsplice",
    "write",
    "writev",
};

// Memory of the own process.
const Calls kMemory = {
    "brk",
    "madvise",
    "membarrier",
    "memfd_create",
    "memfd_secret",
    "mincore",
    "mlock",
    "mlock2",
    "mlockall",
    "mmap",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munlockall",
    "munmap",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "process_madvise",
    "process_mrelease",
    "remap_file_pages",
};

// Processes, threads, signals and scheduling; a sliver sees its own processes only, so that these reach no others.
const Calls kProcesses = {
    "arch_prctl",
    "capget",
    "capset",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "fork",
    "futex",
    "futex_waitv",
    "get_robust_list",
    "get_thread_area",
    "getcpu",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getitimer",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "getuid",
    "ioprio_get",
    "ioprio_set",
    "kcmp",
    "kill",
    "pause",
    "pidfd_getfd",
    "pidfd_open",
    "pidfd_send_signal",
    "prctl",
    "prlimit64",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_tgsigqueueinfo",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "sched_yield",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setgroups",
    "setitimer",
    "setpgid",
    "setpriority",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setrlimit",
    "setsid",
    "setuid",
    "sigaltstack",
    "tgkill",
    "time",
    "times",
    "tkill",
    "vfork",
    "wait4",
    "waitid",
};

// Waiting, clocks and timers; setting a clock is refused below.
const Calls kWaiting = {
    "alarm",         "clock_getres",   "clock_gettime",  "clock_nanosleep", "epoll_create",
    "epoll_create1", "epoll_ctl",      "epoll_ctl_old",  "epoll_pwait",     "epoll_pwait2",
    "epoll_wait",    "epoll_wait_old", "eventfd",        "eventfd2",        "gettimeofday",
    "nanosleep",     "poll",           "ppoll",          "pselect6",        "select",
    "signalfd",      "signalfd4",      "timer_create",   "timer_delete",    "timer_getoverrun",
    "timer_gettime", "timer_settime",  "timerfd_create", "timerfd_gettime", "timerfd_settime",
};

// Sockets, in the sliver's own network namespace; socket(2) itself is ruled by family below.
const Calls kSockets = {
    "accept",   "accept4",  "bind",    "connect",  "getpeername", "getsockname", "getsockopt", "listen",
    "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg",     "sendto",      "shutdown",   "socketpair",
};

// System V and POSIX objects of the own IPC namespace, and the old asynchronous I/O that databases use.
const Calls kIpc = {
    "io_cancel",     "io_destroy", "io_getevents", "io_pgetevents",   "io_setup",     "io_submit",
    "mq_getsetattr", "mq_notify",  "mq_open",      "mq_timedreceive", "mq_timedsend", "mq_unlink",
    "msgctl",        "msgget",     "msgrcv",       "msgsnd",          "semctl",       "semget",
    "semop",         "semtimedop", "shmat",        "shmctl",          "shmdt",        "shmget",
};

// Facts, and a program's own restrictions on itself. chroot: sshd; the root mount is no way out, being the namespace's.
const Calls kSelf = {
    "chroot",
    "getrandom",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "seccomp",
    "sethostname",
    "setdomainname",
    "sysinfo",
    "uname",
};

// A kernel interface as large as all system calls together, past this filter: its operations are not seen here.
const Calls kIoUring = {"io_uring_enter", "io_uring_register", "io_uring_setup"};

// Keys are not kept apart by namespaces, and request_key() starts a program of the host's.
const Calls kKeys = {"add_key", "keyctl", "request_key"};

// Code, or its execution traces, inside the kernel.
const Calls kKernel = {
    "bpf",          "create_module",   "delete_module", "finit_module",   "get_kernel_syms",
    "init_module",  "kexec_file_load", "kexec_load",    "lookup_dcookie", "perf_event_open",
    "query_module",
};

// Stops a thread of the kernel at a place of the caller's choosing, the helper of many an exploit.
const Calls kFaults = {"userfaultfd"};

// The mount tree is as noded made it: masked and read-only paths cannot be uncovered.
const Calls kMounts = {
    "fsconfig",   "fsmount",   "fsopen",     "fspick", "mount",   "mount_setattr",
    "move_mount", "open_tree", "pivot_root", "umount", "umount2",
};

// Files by number instead of by path, which knows no root directory (the way out of early Docker); marks on whole file
// systems.
const Calls kHandles = {"fanotify_init", "fanotify_mark", "open_by_handle_at"};

// Other namespaces; making them is refused by flag below.
const Calls kNamespaces = {"setns"};

// One clock for all; a sliver that sets it moves every other's time.
const Calls kClocks = {"adjtimex", "clock_adjtime", "clock_settime", "settimeofday", "stime"};

// The processor past the kernel: I/O ports, and segments that have been a way into its descriptor tables.
const Calls kProcessor = {"ioperm", "iopl", "modify_ldt", "vm86", "vm86old"};

// What an administrator of the machine does: its log (with addresses of the kernel), power, swap, accounting, quotas.
const Calls kAdministration = {
    "acct", "quotactl", "quotactl_fd", "reboot", "swapoff", "swapon", "syslog", "vhangup",
};

// Where memory lies. Policies and moves pin memory nodes and take locks that all share.
const Calls kPlacement = {
    "get_mempolicy", "mbind", "migrate_pages", "move_pages", "set_mempolicy",
};

// Left over from older kernels: nothing calls them, so nobody would notice a fault in them.
const Calls kRelics = {"_sysctl", "nfsservctl", "sysfs", "uselib", "ustat"};

void allow(sys::SeccompProfile& profile, const Calls& calls) {
    for (const char* call : calls) profile.rules.push_back({.syscall = call, .comparisons = {}});
}

void refuse(sys::SeccompProfile& profile, const Calls& calls) {
    for (const char* call : calls) {
        profile.rules.push_back({.syscall = call, .action = SeccompAction::fail, .error = EPERM, .comparisons = {}});
    }
}

// A new user namespace would give its maker every capability in it, and with them the kernel code that they guard.
void ruleNamespaceFlags(sys::SeccompProfile& profile) {
    constexpr uint64_t kTimeNamespace = 0x80;  // CLONE_NEWTIME; with clone(2) these bits are the exit signal
    constexpr uint64_t kFlags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                   CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
    uint64_t all = 0;
    for (const uint64_t flag : kFlags) all |= flag;
    for (const char* call : {"clone", "unshare"}) {
        for (const uint64_t flag : kFlags) {
            profile.rules.push_back({.syscall = call,
                                     .action = SeccompAction::fail,
                                     .error = EPERM,
                                     .comparisons = {{.op = Operator::masked_equal, .value = flag, .mask = flag}}});
        }
    }
    profile.rules.push_back(
        {.syscall = "clone", .comparisons = {{.op = Operator::masked_equal, .value = 0, .mask = all}}});
    profile.rules.push_back(
        {.syscall = "unshare",
         .comparisons = {{.op = Operator::masked_equal, .value = 0, .mask = all | kTimeNamespace}}});
    // Its flags stand in memory, where a filter cannot look. With ENOSYS the C library turns to clone(2).
    profile.rules.push_back({.syscall = "clone3", .action = SeccompAction::fail, .error = ENOSYS, .comparisons = {}});
}

// The families that slivers' programs use. Others, AF_VSOCK and AF_ALG among them, would load or reach code of the
// host.
void ruleSocketFamilies(sys::SeccompProfile& profile) {
    constexpr uint64_t kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
    for (const uint64_t family : kFamilies) {
        profile.rules.push_back({.syscall = "socket", .comparisons = {{.op = Operator::equal, .value = family}}});
    }
    profile.rules.push_back({.syscall = "socket",
                             .action = SeccompAction::fail,
                             .error = EAFNOSUPPORT,
                             .comparisons = {{.op = Operator::greater, .value = AF_PACKET}}});
}

// A packet socket with PACKET_QDISC_BYPASS sends past the queue that limits the sliver's bandwidth. The options of
// packet sockets behind it in number are refused with it, and levels behind theirs are those of the families above
// alone: a filter sees 64 bits where the kernel takes 32, so that "not equal" would let its double through.
void ruleSocketOptions(sys::SeccompProfile& profile) {
    constexpr uint32_t kLevel = 1;
    constexpr uint32_t kOption = 2;
    const sys::SeccompComparison packet{.argument = kLevel, .value = SOL_PACKET};
    profile.rules.push_back(
        {.syscall = "setsockopt", .comparisons = {{.argument = kLevel, .op = Operator::less, .value = SOL_PACKET}}});
    for (const uint64_t level : std::initializer_list<uint64_t>{SOL_NETLINK, SOL_TLS, SOL_MPTCP}) {
        profile.rules.push_back({.syscall = "setsockopt", .comparisons = {{.argument = kLevel, .value = level}}});
    }
    profile.rules.push_back(
        {.syscall = "setsockopt",
         .comparisons = {packet, {.argument = kOption, .op = Operator::less, .value = PACKET_QDISC_BYPASS}}});
    profile.rules.push_back(
        {.syscall = "setsockopt",
         .action = SeccompAction::fail,
         .error = EPERM,
         .comparisons = {packet, {.argument = kOption, .op = Operator::greater_equal, .value = PACKET_QDISC_BYPASS}}});
}

// Linux, 32-bit uname and the query; others switch security measures off (ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC).
void rulePersonality(sys::SeccompProfile& profile) {
    for (const uint64_t persona : {0x0UL, 0x8UL, 0x20000UL, 0x20008UL, 0xffffffffUL}) {
        profile.rules.push_back({.syscall = "personality", .comparisons = {{.op = Operator::equal, .value = persona}}});
    }
}

}  // namespace

sys::SeccompProfile sliverSeccompProfile() {
    sys::SeccompProfile profile;
    profile.default_action = SeccompAction::fail;
    profile.default_error = ENOSYS;
    for (const Calls* calls : {&kFiles, &kMemory, &kProcesses, &kWaiting, &kSockets, &kIpc, &kSelf}) {
        allow(profile, *calls);
    }
    for (const Calls* calls : {&kIoUring, &kKeys, &kKernel, &kFaults, &kMounts, &kHandles, &kNamespaces, &kClocks,
                               &kProcessor, &kAdministration, &kPlacement, &kRelics}) {
        refuse(profile, *calls);
    }
    ruleNamespaceFlags(profile);
    ruleSocketFamilies(profile);
    ruleSocketOptions(profile);
    rulePersonality(profile);
    return profile;
}

}  // namespace homeslice::isolation
