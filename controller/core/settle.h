// What follows by itself from what the nodes say: moves go on, what is gone is forgotten, operations end. Pure.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/core/views.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// What something may follow from: it has changed, by a batch, by a node's word or in time.
struct Unsettled {
    std::vector<SliverId> slivers;
    std::set<std::string> slices;
    std::set<std::string> operations;
    bool rows = false;  // any row: what nodes are emptied or evened out by may go on

    bool empty() const { return slivers.empty() && slices.empty() && operations.empty() && !rows; }
    void add(Unsettled other);
};
// By a batch that is in `world` already.
Unsettled unsettledBy(const Changes& changes, const World& world);
Unsettled unsettledBy(const NodeTable::News& news, const std::string& node, const World& world);
// By time alone: nodes get lost, or are ready again.
Unsettled unsettledByTime(const World& world);
// By a controller's death: what it did not come to.
Unsettled unsettledByStart(const World& world);

// Of running operations one sliver each that they still wait for: as long as they do, nobody has to look at the others.
using Awaited = std::unordered_map<std::string, SliverId>;

// The next batch to store; empty when all of it is settled. One step of each thing a call: the nodes must be told of a
// step before their reports can count for the next.
Changes settle(const World& world, const Unsettled& unsettled, Awaited& awaited);

}  // namespace homeslice::controller
