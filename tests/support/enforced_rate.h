// Whether a limit on a rate is enforced, on a machine whose processors others may take for a while.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

namespace homeslice::testing_support {

// `measure` answers the rate over a window under full load, in the unit of `limit`. It may never be above the limit,
// and has to reach it in one of a few windows: less in one may be the load's fault, which waits for a processor; the
// limit's own would be in each.
template <typename Measure>
void expectEnforced(double limit, double tolerance, Measure measure) {
    constexpr int kWindows = 4;
    double best = 0;
    for (int window = 0; window < kWindows && best < limit * (1 - tolerance); ++window) {
        const double rate = measure();
        EXPECT_LE(rate, limit * (1 + tolerance));
        best = std::max(best, rate);
    }
    EXPECT_GE(best, limit * (1 - tolerance));
}

}  // namespace homeslice::testing_support
