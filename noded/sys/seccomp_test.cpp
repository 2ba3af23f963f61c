#include "noded/sys/seccomp.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace homeslice::sys {
namespace {

// Loads the program in a child and returns what `probe` returned there; 256 + N when signal N ended it.
int underFilter(std::string program, int (*probe)()) {
    const pid_t child = ::fork();
    if (child == 0) {
        sock_fprog filter{};
        filter.len = static_cast<unsigned short>(program.size() / sizeof(sock_filter));
        filter.filter = reinterpret_cast<sock_filter*>(program.data());
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) ::_exit(254);
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0) ::_exit(255);
        ::_exit(probe());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

int makeDirectory() { return ::mkdir("/", 0755) == 0 ? 0 : errno; }
int openUnixSocket() { return ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno; }
int openPacketSocket() { return ::socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 0 : errno; }

SeccompProfile permissive() {
    SeccompProfile profile;
    profile.default_action = SeccompAction::allow;
    return profile;
}

TEST(Seccomp, ARuleFailsWithItsErrno) {
    SeccompProfile profile = permissive();
    profile.rules.push_back({"mkdir", SeccompAction::fail, EXDEV, {}});
    const auto program = compileProfile(profile);
    ASSERT_TRUE(program.ok()) << program.status();
    EXPECT_EQ(program->size() % sizeof(sock_filter), 0U);
    EXPECT_EQ(underFilter(*program, makeDirectory), EXDEV);
    EXPECT_EQ(underFilter(*program, openUnixSocket), 0);
}

TEST(Seccomp, ArgumentsAreCompared) {
    SeccompProfile profile = permissive();
    profile.rules.push_back(
        {"socket", SeccompAction::fail, EAFNOSUPPORT, {{0, SeccompComparison::Operator::equal, AF_PACKET, 0}}});
    profile.rules.push_back(
        {"mkdir", SeccompAction::fail, EXDEV, {{1, SeccompComparison::Operator::masked_equal, 0700, 0700}}});
    const auto program = compileProfile(profile);
    ASSERT_TRUE(program.ok()) << program.status();
    EXPECT_EQ(underFilter(*program, openPacketSocket), EAFNOSUPPORT);
    EXPECT_EQ(underFilter(*program, openUnixSocket), 0);
    EXPECT_EQ(underFilter(*program, makeDirectory), EXDEV);
}

TEST(Seccomp, WhatIsNotAllowedFails) {
    SeccompProfile profile;
    profile.rules.push_back({"exit_group", SeccompAction::allow, EPERM, {}});
    profile.rules.push_back({"mkdir", SeccompAction::fail, EPERM, {}});
    const auto program = compileProfile(profile);
    ASSERT_TRUE(program.ok()) << program.status();
    EXPECT_EQ(underFilter(*program, makeDirectory), EPERM);
    EXPECT_EQ(underFilter(*program, openUnixSocket), EPERM);
    profile.default_action = SeccompAction::kill_process;
    const auto deadly = compileProfile(profile);
    ASSERT_TRUE(deadly.ok()) << deadly.status();
    EXPECT_EQ(underFilter(*deadly, openUnixSocket), 256 + SIGSYS);
}

TEST(Seccomp, AProfileIsChecked) {
    SeccompProfile unknown = permissive();
    unknown.rules.push_back({"mkdri", SeccompAction::fail, EPERM, {}});
    EXPECT_TRUE(absl::IsInvalidArgument(compileProfile(unknown).status()));
    SeccompProfile bad_errno = permissive();
    bad_errno.rules.push_back({"mkdir", SeccompAction::fail, 70'000, {}});
    EXPECT_TRUE(absl::IsInvalidArgument(compileProfile(bad_errno).status()));
    SeccompProfile bad_argument = permissive();
    bad_argument.rules.push_back(
        {"mkdir", SeccompAction::fail, EPERM, {{6, SeccompComparison::Operator::equal, 0, 0}}});
    EXPECT_FALSE(compileProfile(bad_argument).ok());
    EXPECT_TRUE(isKnownSyscall("clone3"));
    EXPECT_FALSE(isKnownSyscall("mkdri"));
}

}  // namespace
}  // namespace homeslice::sys
