// The paths side by side: in each round every path has its turn, and each round begins with another one.
#pragma once

#include <absl/status/status.h>

#include <chrono>

#include "network.h"
#include "results.h"

namespace homeslice::bench {

struct Extent {
    unsigned rounds;
    unsigned round_trips;    // of a round
    unsigned bindings;       // that the second home agent holds beside the sliver's
    unsigned spread_rounds;  // of traffic for all of them
    bool routes;             // as many of a plain router beside them, which take too long to make for a quick run
    unsigned moves;
    unsigned updates;
    std::chrono::milliseconds duration;  // of a round's bulk transfer
};

// Fills in the paths, and what traffic for all of many bindings costs.
absl::Status compete(Network& network, const Extent& extent, Results& results);

}  // namespace homeslice::bench
