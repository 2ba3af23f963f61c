#include "noded/isolation/resources_bandwidth.h"

#include <gtest/gtest.h>

namespace homeslice::isolation {
namespace {

constexpr uint32_t kMtu = 1460;
constexpr uint64_t kFrame = kMtu + 14;

TEST(TokenBucketTest, CountsThePayloadOfFullPackets) {
    const sys::TokenBucket bucket = tokenBucketOf(113'600'000, kMtu);  // 10,000 payloads of 1420 bytes
    EXPECT_EQ(bucket.bytes_per_second, 10'000 * kFrame);
    EXPECT_EQ(bucket.burst_bytes, 100 * kFrame) << "10 ms";
    EXPECT_EQ(bucket.queue_bytes, 500 * kFrame) << "50 ms";
}

TEST(TokenBucketTest, ASlowLinkStillHoldsWholeFrames) {
    for (const uint64_t bits : {1ULL, 8ULL, 1000ULL, 100'000ULL}) {
        const sys::TokenBucket bucket = tokenBucketOf(bits, kMtu);
        EXPECT_GE(bucket.bytes_per_second, 1U);
        EXPECT_GE(bucket.burst_bytes, kFrame);
        EXPECT_GE(bucket.queue_bytes, 10 * kFrame);
    }
}

TEST(TokenBucketTest, AFastOneStaysInBounds) {
    EXPECT_GT(tokenBucketOf(UINT64_MAX, kMtu).bytes_per_second, 1'000'000'000'000U);
    EXPECT_LE(tokenBucketOf(UINT64_MAX, kMtu).queue_bytes, 256U << 20);
}

}  // namespace
}  // namespace homeslice::isolation
