#include "noded/sliver/health_checks.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "base/clock.h"
#include "base/status.h"

namespace homeslice::sliver {
namespace {

using std::chrono::milliseconds;

// Ends at once with `status`, or never.
class Command : public init::RunningCommand {
public:
    explicit Command(std::optional<int> status) : status_(status), ended_(::eventfd(status ? 1 : 0, EFD_CLOEXEC)) {}

    absl::StatusOr<int> wait() override { return status_.value_or(-1); }
    absl::Status kill(int) override { return absl::OkStatus(); }
    absl::Status detach() override { return absl::OkStatus(); }
    UniqueFd takeTerminal() override { return {}; }
    int descriptor() const override { return ended_.get(); }

private:
    const std::optional<int> status_;
    const UniqueFd ended_;
};

class HealthChecksTest : public testing::Test {
protected:
    HealthChecksTest()
        : checks_({.run = [this](const SliverId&,
                                 init::ExecRequest) -> absl::StatusOr<std::unique_ptr<init::RunningCommand>> {
                       ++runs_;
                       const std::lock_guard lock(mutex_);
                       return std::make_unique<Command>(status_);
                   },
                   .is_running = [this](const SliverId&) { return running_.load(); },
                   .changed =
                       [this] {
                           const std::lock_guard lock(mutex_);
                           changed_.notify_all();
                       }}) {}

    void answer(std::optional<int> status) {
        const std::lock_guard lock(mutex_);
        status_ = status;
    }
    bool becomes(Health health) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return checks_.health(id_) == health; });
    }

    const SliverId id_{.slice = "web", .index = 1};
    HealthCheck check_{.argv = {"check"},
                       .interval = milliseconds(5),
                       .timeout = milliseconds(20),
                       .start_period = milliseconds(0),
                       .failures = 2};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<int> status_ = 0;
    std::atomic<bool> running_ = true;
    std::atomic<int> runs_ = 0;
    HealthChecks checks_;  // last: its threads use the rest
};

TEST_F(HealthChecksTest, WithoutACheckThereIsNoHealth) {
    checks_.watch(id_, {});
    EXPECT_EQ(checks_.health(id_), Health::none);
    EXPECT_EQ(runs_, 0);
}

TEST_F(HealthChecksTest, GoesFromStartingToHealthyToUnhealthyAndBack) {
    answer(1);
    check_.start_period = std::chrono::minutes(10);
    checks_.watch(id_, check_);
    EXPECT_EQ(checks_.health(id_), Health::starting);
    answer(0);
    ASSERT_TRUE(becomes(Health::healthy));
    answer(1);
    ASSERT_TRUE(becomes(Health::unhealthy)) << "the start is over with the first success";
    answer(0);
    ASSERT_TRUE(becomes(Health::healthy));
}

TEST_F(HealthChecksTest, ACheckThatDoesNotEndHasFailed) {
    answer(std::nullopt);
    checks_.watch(id_, check_);
    ASSERT_TRUE(becomes(Health::unhealthy));
    EXPECT_GE(runs_, 2);
}

TEST_F(HealthChecksTest, WhoHasFailedIsAskedAgainSoon) {
    check_.failures = 3;
    check_.interval = std::chrono::minutes(1);
    answer(1);
    checks_.watch(id_, check_);
    ASSERT_TRUE(becomes(Health::unhealthy)) << "long before the interval is over";
    EXPECT_EQ(runs_, 3);
}

TEST_F(HealthChecksTest, WhatDoesNotRunIsNotJudged) {
    checks_.watch(id_, check_);
    ASSERT_TRUE(becomes(Health::healthy));
    running_ = false;
    answer(1);
    const int before = runs_;
    while (runs_ < before + 5) std::this_thread::yield();
    EXPECT_EQ(checks_.health(id_), Health::healthy);
}

TEST_F(HealthChecksTest, TheSameCheckAgainChangesNothing) {
    checks_.watch(id_, check_);
    ASSERT_TRUE(becomes(Health::healthy));
    checks_.watch(id_, check_);
    EXPECT_EQ(checks_.health(id_), Health::healthy);
    checks_.forget(id_);
    EXPECT_EQ(checks_.health(id_), Health::none);
}

}  // namespace
}  // namespace homeslice::sliver
