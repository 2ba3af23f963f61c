#include "controller/api/rate_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/reason.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

// Strangers have one for each address that they come from, of which there are many.
constexpr size_t kMostBuckets = 10'000;

}  // namespace

absl::Status RateLimits::take(const std::string& who, Monotonic::time_point now) {
    if (rate_ == 0) return absl::OkStatus();
    const std::lock_guard lock(mutex_);
    if (buckets_.size() >= kMostBuckets) forgetIdle(now);
    Bucket& bucket = buckets_.try_emplace(who, Bucket{size(), now}).first->second;
    bucket.tokens = tokensAt(bucket, now);
    bucket.filled = now;
    if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return absl::OkStatus();
    }
    const auto wait_ms = static_cast<int64_t>(std::ceil((1 - bucket.tokens) * 1000 / rate_));
    return because(resourceExhausted(fmt::format("{} makes more than {} requests a second: come again in {} ms", who,
                                                 rate_, wait_ms)),
                   reason::kRateLimited, {{kRetryAfterFact, std::to_string(wait_ms)}});
}

double RateLimits::tokensAt(const Bucket& bucket, Monotonic::time_point now) const {
    const std::chrono::duration<double> passed = now - bucket.filled;
    return std::min(size(), bucket.tokens + passed.count() * rate_);
}

// A full bucket is as good as none. When all are in use, forgetting them costs less than a memory without bound.
void RateLimits::forgetIdle(Monotonic::time_point now) {
    std::erase_if(buckets_, [&](const auto& entry) { return tokensAt(entry.second, now) >= size(); });
    if (buckets_.size() >= kMostBuckets) buckets_.clear();
}

}  // namespace homeslice::controller
