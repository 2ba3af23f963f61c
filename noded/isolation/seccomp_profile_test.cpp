#include "noded/isolation/seccomp_profile.h"

#include <gtest/gtest.h>
#include <linux/filter.h>

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

}  // namespace
}  // namespace homeslice::isolation
