// How many requests somebody may make: a bucket of tokens each, which fills at a steady rate. Threads: any.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace homeslice::controller {

class RateLimits {
public:
    // The bucket holds what comes in two seconds. 0: no limit.
    explicit RateLimits(uint32_t per_second) : rate_(per_second) {}

    // RESOURCE_EXHAUSTED, RATE_LIMITED says after how many milliseconds to come again.
    absl::Status take(const std::string& who, Monotonic::time_point now = Monotonic::now());

private:
    struct Bucket {
        double tokens = 0;
        Monotonic::time_point filled;
    };

    double size() const { return 2.0 * rate_; }
    double tokensAt(const Bucket& bucket, Monotonic::time_point now) const;
    void forgetIdle(Monotonic::time_point now);

    const uint32_t rate_;
    std::mutex mutex_;
    std::map<std::string, Bucket> buckets_;
};

}  // namespace homeslice::controller
