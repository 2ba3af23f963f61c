#include "noded/sliver/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>

namespace homeslice::sliver {
namespace {

TEST(Supervisor, TellsWhenAProcessEndsAndNotBefore) {
    std::promise<SliverId> ended;
    auto supervisor = Supervisor::create([&](const SliverId& id) { ended.set_value(id); });
    ASSERT_TRUE(supervisor.ok());
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    {
        const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
        ASSERT_TRUE((*supervisor)->watch({.slice = "web", .index = 4}, pidfd.get()).ok());
    }
    auto result = ended.get_future();
    EXPECT_EQ(result.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(result.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(result.get().toString(), "web/4");
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST(Supervisor, EndsWithWatchesOpen) {
    auto supervisor = Supervisor::create([](const SliverId&) { FAIL(); });
    ASSERT_TRUE(supervisor.ok());
    const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    EXPECT_TRUE((*supervisor)->watch({.slice = "web", .index = 1}, self.get()).ok());
    EXPECT_FALSE((*supervisor)->watch({.slice = "web", .index = 2}, -1).ok());
}

}  // namespace
}  // namespace homeslice::sliver
