// Moving slivers off loaded nodes. Pure.
//
// A node's load is what its slivers are guaranteed, as a share of its processors; a sliver without a guarantee counts
// as a tenth of a processor.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "controller/core/views.h"
#include "controller/store/store.h"

namespace homeslice::controller {

struct RebalanceStep {
    SliverId sliver;
    std::string from;
    std::string to;
    std::string reason;  // "load 75% -> 50%, 10% -> 35%"
};

// The moves that even out the nodes most, in their order, at most `most`: each takes a sliver from a fuller node to an
// emptier one that its slice's rules allow, and is worth its costs. Slivers in `except`, moving or standing still stay.
std::vector<RebalanceStep> planRebalance(const World& world, const std::set<SliverId>& except, size_t most);

// How much more loaded the fullest node is than the emptiest that takes slivers, in hundredths of its processors.
double loadSpread(const World& world);

// Adds the moves that running rebalancings begin now, a few at a time, and their ends.
void settleRebalances(const World& world, Changes& changes);

// `operation` (a rebalancing) with its present progress.
Operation viewRebalance(const World& world, Operation operation);

}  // namespace homeslice::controller
