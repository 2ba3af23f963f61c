// When what failed is tried again: after 1, 2, 4, ... 30 seconds.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace homeslice::sliver {

struct Retry {
    uint32_t failures = 0;  // in a row
    Monotonic::time_point at{};

    static std::chrono::milliseconds delayAfter(uint32_t failures) {
        constexpr std::chrono::seconds kFirst{1};
        constexpr std::chrono::seconds kLast{30};
        const uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, 5U);
        return std::min<std::chrono::milliseconds>(kFirst * (1U << doublings), kLast);
    }
    void fail() { at = Monotonic::now() + delayAfter(++failures); }
    void reset() { *this = {}; }
};

}  // namespace homeslice::sliver
