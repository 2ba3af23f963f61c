#include "noded/names/rate_limit.h"

#include <gtest/gtest.h>

namespace homeslice::names {
namespace {

using std::chrono::milliseconds;

Ipv6Address asker(uint64_t id) { return Ipv6Address().withInterfaceId(id); }

TEST(RateLimit, ABurstThenTheRateAndEachAskerForItself) {
    RateLimit limit(10, 3);
    const Monotonic::time_point now{};
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.allow(asker(1), now));
    EXPECT_FALSE(limit.allow(asker(1), now));
    EXPECT_TRUE(limit.allow(asker(2), now));
    EXPECT_FALSE(limit.allow(asker(1), now + milliseconds(50)));
    EXPECT_TRUE(limit.allow(asker(1), now + milliseconds(150)));
    EXPECT_FALSE(limit.allow(asker(1), now + milliseconds(160)));
}

TEST(RateLimit, SilenceSavesUpNoMoreThanABurst) {
    RateLimit limit(10, 2);
    const Monotonic::time_point now{};
    EXPECT_TRUE(limit.allow(asker(1), now));
    const auto later = now + std::chrono::hours(1);
    EXPECT_TRUE(limit.allow(asker(1), later));
    EXPECT_TRUE(limit.allow(asker(1), later));
    EXPECT_FALSE(limit.allow(asker(1), later));
}

TEST(RateLimit, AFloodOfAskersTakesNoMoreMemoryAndStopsNobody) {
    RateLimit limit(10, 2);
    for (uint64_t id = 1; id <= 100'000; ++id) ASSERT_TRUE(limit.allow(asker(id), Monotonic::time_point{}));
}

}  // namespace
}  // namespace homeslice::names
