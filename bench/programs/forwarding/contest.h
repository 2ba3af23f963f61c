// The paths side by side: in each round every path has its turn, and each round begins with another one.
#pragma once

#include <absl/status/status.h>

#include <chrono>

#include "network.h"
#include "results.h"

namespace homeslice::bench {

struct Extent {
    unsigned rounds;
    unsigned round_trips;  // of a round
    unsigned bindings;     // that the home agent holds beside
    unsigned full_rounds;  // with them
    unsigned moves;
    unsigned updates;
    std::chrono::milliseconds duration;  // of a round's bulk transfer
};

// Fills in the paths, and the ratios with many bindings.
absl::Status compete(Network& network, const Extent& extent, Results& results);

}  // namespace homeslice::bench
