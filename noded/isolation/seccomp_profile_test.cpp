#include "noded/isolation/seccomp_profile.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>

namespace homeslice::isolation {
namespace {

TEST(SeccompProfile, Compiles) {
    const auto program = sys::compileProfile(sliverSeccompProfile());
    ASSERT_TRUE(program.ok()) << program.status();
    EXPECT_EQ(program->size() % sizeof(sock_filter), 0U);
    EXPECT_LT(program->size() / sizeof(sock_filter), 4096U) << "BPF_MAXINSNS";
}

TEST(SeccompProfile, NamesEachCallOnceUnlessItRulesArguments) {
    std::map<std::string, int> bare;
    std::set<std::string> by_argument;
    for (const auto& rule : sliverSeccompProfile().rules) {
        if (rule.comparisons.empty()) {
            EXPECT_EQ(++bare[rule.syscall], 1) << rule.syscall;
        } else {
            by_argument.insert(rule.syscall);
        }
    }
    for (const std::string& call : by_argument) EXPECT_FALSE(bare.contains(call)) << call;
}

TEST(SeccompProfile, RefusesWhatWouldBreachIsolation) {
    std::set<std::string> allowed;
    for (const auto& rule : sliverSeccompProfile().rules) {
        if (rule.action == sys::SeccompAction::allow && rule.comparisons.empty()) allowed.insert(rule.syscall);
    }
    for (const char* call : {"io_uring_setup",
                             "io_uring_enter",
                             "io_uring_register",
                             "keyctl",
                             "add_key",
                             "request_key",
                             "bpf",
                             "mount",
                             "umount2",
                             "fsopen",
                             "fsmount",
                             "move_mount",
                             "open_tree",
                             "mount_setattr",
                             "pivot_root",
                             "userfaultfd",
                             "clone3",
                             "perf_event_open",
                             "kexec_load",
                             "init_module",
                             "finit_module",
                             "unshare",
                             "clone",
                             "open_by_handle_at",
                             "setns",
                             "reboot",
                             "clock_settime",
                             "syslog",
                             "settimeofday",
                             "swapon"}) {
        EXPECT_FALSE(allowed.contains(call)) << call;
    }
}

// setsockopt(2) on no socket, below the filter: the errno tells whether the kernel was reached (EBADF).
int errnoOfOption(const std::string& program, uint64_t level, uint64_t option) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::vector<sock_filter> filter(program.size() / sizeof(sock_filter));
        std::memcpy(filter.data(), program.data(), program.size());
        const sock_fprog whole{.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) != 0)
            ::_exit(255);
        const long result = ::syscall(SYS_setsockopt, -1L, level, option, nullptr, 0L);
        ::_exit(result < 0 ? errno : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

TEST(SeccompProfile, NoPacketPassesTheQueueThatLimitsBandwidth) {
    constexpr uint64_t kDouble = 1ULL << 32;  // what the kernel's int does not see
    const auto program = sys::compileProfile(sliverSeccompProfile());
    ASSERT_TRUE(program.ok()) << program.status();
    EXPECT_EQ(errnoOfOption(*program, SOL_PACKET, PACKET_QDISC_BYPASS), EPERM);
    EXPECT_NE(errnoOfOption(*program, SOL_PACKET + kDouble, PACKET_QDISC_BYPASS), EBADF);
    EXPECT_NE(errnoOfOption(*program, SOL_PACKET, PACKET_QDISC_BYPASS + kDouble), EBADF);
    EXPECT_EQ(errnoOfOption(*program, SOL_PACKET, PACKET_RX_RING), EBADF);
    for (const uint64_t level : {uint64_t{SOL_SOCKET}, uint64_t{IPPROTO_TCP}, uint64_t{IPPROTO_IPV6},
                                 uint64_t{SOL_NETLINK}, uint64_t{SOL_TLS}, uint64_t{SOL_MPTCP}}) {
        EXPECT_EQ(errnoOfOption(*program, level, PACKET_QDISC_BYPASS), EBADF) << level;
    }
}

}  // namespace
}  // namespace homeslice::isolation
