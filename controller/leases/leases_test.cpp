#include "controller/leases/leases.h"

#include <gtest/gtest.h>

namespace homeslice::controller {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr seconds kWeek = hours(24 * 7);

TEST(Leases, NewSlices) {
    EXPECT_EQ(*checkLease(0, kWeek), kWeek);
    EXPECT_EQ(*checkLease(60, kWeek), seconds(60));
    EXPECT_EQ(*checkLease(30 * 86400, kWeek), kMaxLease);
    EXPECT_EQ(checkLease(30 * 86400 + 1, kWeek).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Leases, RenewalsAreCapped) {
    EXPECT_EQ(grantRenewal(0, kWeek), kWeek);
    EXPECT_EQ(grantRenewal(60, kWeek), seconds(60));
    EXPECT_EQ(grantRenewal(4000000000, kWeek), kMaxLease);
}

TEST(Leases, EndInSteps) {
    constexpr seconds kGrace = hours(1);
    constexpr int64_t kSecond = 1'000'000;
    constexpr int64_t kEnd = kWeek / seconds(1) * kSecond;
    Slice slice;
    slice.lease_end_us = kEnd;
    EXPECT_EQ(leaseState(slice, kGrace, kEnd - 86'400 * kSecond - 1), LeaseState::active);
    EXPECT_EQ(leaseState(slice, kGrace, kEnd - 86'400 * kSecond), LeaseState::ending);
    EXPECT_EQ(leaseState(slice, kGrace, kEnd - 1), LeaseState::ending);
    EXPECT_EQ(leaseState(slice, kGrace, kEnd), LeaseState::over);
    EXPECT_EQ(leaseState(slice, kGrace, kEnd + 3'600 * kSecond - 1), LeaseState::over);
    EXPECT_EQ(leaseState(slice, kGrace, kEnd + 3'600 * kSecond), LeaseState::past_grace);
    EXPECT_EQ(deletionTime(slice, kGrace), kEnd + 3'600 * kSecond);
}

TEST(Leases, Durations) {
    EXPECT_EQ(*parseDuration("7d"), kWeek);
    EXPECT_EQ(*parseDuration("90s"), seconds(90));
    EXPECT_EQ(*parseDuration("15m"), seconds(900));
    EXPECT_EQ(*parseDuration("12h"), seconds(43200));
    EXPECT_EQ(*parseDuration("5"), seconds(5));
    for (const char* bad : {"", "d", "-1d", "0s", "1w", "1.5h", "7d ", "99999999999999999999", "9999999999d"}) {
        EXPECT_FALSE(parseDuration(bad).ok()) << bad;
    }
}

}  // namespace
}  // namespace homeslice::controller
