#include "noded/sys/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "noded/sys/capability.h"

namespace homeslice::sys {
namespace {

using std::chrono::milliseconds;

TEST(Process, IsKnownAgain) {
    const auto self = identify(::getpid());
    ASSERT_TRUE(self.ok()) << self.status();
    EXPECT_GT(self->start_time, 0U);
    EXPECT_EQ(self->boot_id.size(), 36U);
    EXPECT_EQ(*identify(::getpid()), *self);
    EXPECT_TRUE(openProcess(*self).ok());
}

TEST(Process, AnotherOneWithItsNumberIsNotIt) {
    ProcessIdentity later = *identify(::getpid());
    ++later.start_time;
    EXPECT_TRUE(absl::IsNotFound(openProcess(later).status()));
    ProcessIdentity other_boot = *identify(::getpid());
    other_boot.boot_id = "another";
    EXPECT_TRUE(absl::IsNotFound(openProcess(other_boot).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(openProcess({}).status()));
}

TEST(Process, EndsAreSeen) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (;;) ::pause();
    }
    const auto identity = identify(child);
    ASSERT_TRUE(identity.ok()) << identity.status();
    const auto pidfd = openProcess(*identity);
    ASSERT_TRUE(pidfd.ok()) << pidfd.status();
    EXPECT_FALSE(waitForEnd(pidfd->get(), milliseconds(0)).value_or(true));
    EXPECT_TRUE(signalProcess(pidfd->get(), SIGKILL).ok());
    EXPECT_TRUE(waitForEnd(pidfd->get(), milliseconds(10'000)).value_or(false));
    EXPECT_TRUE(absl::IsNotFound(openProcess(*identity).status()));
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(signalProcess(pidfd->get(), SIGKILL).ok());
    EXPECT_TRUE(absl::IsNotFound(identify(child).status()));
}

TEST(Capability, NamesAndBits) {
    EXPECT_EQ(parseCapabilities({"CAP_CHOWN", "net_bind_service", "Cap_Checkpoint_Restore"}).value_or(0),
              uint64_t{1} | uint64_t{1} << 10 | uint64_t{1} << 40);
    EXPECT_TRUE(absl::IsInvalidArgument(parseCapabilities({"CAP_FLY"}).status()));
    EXPECT_EQ(capabilityNames(1 | 1 << 21), (std::vector<std::string>{"CAP_CHOWN", "CAP_SYS_ADMIN"}));
    EXPECT_EQ(capabilityNames(uint64_t{1} << 63), std::vector<std::string>{"CAP_63"});
}

}  // namespace
}  // namespace homeslice::sys
