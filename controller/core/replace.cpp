#include "controller/core/replace.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "base/status.h"
#include "controller/core/capacity.h"
#include "controller/moves/move.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

bool isLost(const World& world, const std::string& node) {
    return world.nodes.silence(node, world.now) > world.replace_after;
}

// Whether the sliver, which is on a lost node, is to leave it.
bool isToLeave(const World& world, const Sliver& sliver) {
    const auto slice = world.snapshot.slices.find(sliver.id.slice);
    if (slice == world.snapshot.slices.end() || slice->second.deleting || slice->second.suspended) return false;
    return !sliver.moving() && !sliver.frozen && slice->second.rules.on_node_loss == OnNodeLoss::replace;
}

using Stranded = std::map<std::string, std::vector<const Sliver*>>;  // by lost node

Stranded strandedSlivers(const World& world) {
    Stranded stranded;
    for (const auto& [name, node] : world.snapshot.nodes) {
        if (isLost(world, name)) stranded[name];
    }
    for (auto& [name, slivers] : stranded) {
        for (const Sliver* sliver : world.index.sliversAt(name)) {
            if (sliver->node == name && isToLeave(world, *sliver)) slivers.push_back(sliver);
        }
    }
    std::erase_if(stranded, [](const auto& entry) { return entry.second.empty(); });
    return stranded;
}

Operation operationFor(const World& world, const std::string& node) {
    for (const std::string& id : world.index.running(OperationKind::replaceSlivers)) {
        const Operation& operation = world.snapshot.operations.at(id);
        if (operation.node == node) return operation;
    }
    Operation operation = newOperation(OperationKind::replaceSlivers, {}, 0, "", world.now_us);
    operation.node = node;
    return operation;
}

// A node that may have something of an earlier stay would take it for the sliver's disk.
std::vector<Candidate> withoutHolders(std::vector<Candidate> nodes, const Sliver& sliver) {
    std::erase_if(nodes, [&sliver](const Candidate& node) { return sliver.holders.contains(node.name); });
    return nodes;
}

absl::StatusOr<std::string> targetFor(const World& world, const Sliver& sliver, const Slice& slice,
                                      const std::vector<Candidate>& nodes) {
    const PlacementRequest where{
        .node_count = 1, .rules = slice.rules, .cpu_reservation_millis = slice.base.resources.cpu_reservation_millis};
    HS_ASSIGN_OR_RETURN(const Plan plan, place(where, withoutHolders(candidatesFor(world, nodes, slice), sliver)));
    return plan.places.front().node;
}

void replaceOn(const World& world, const std::string& lost, const std::vector<const Sliver*>& slivers,
               std::vector<Candidate>& nodes, Changes& changes) {
    const Operation before = operationFor(world, lost);
    Operation operation = before;
    std::map<std::string, std::string> refused;  // why nothing of a slice fits now: its other slivers do not either
    size_t waiting = 0;
    for (const Sliver* sliver : slivers) {
        const Slice& slice = world.snapshot.slices.at(sliver->id.slice);
        waiting += 1;
        if (refused.contains(slice.name)) continue;
        const auto target = targetFor(world, *sliver, slice, nodes);
        if (!target.ok()) {
            refused[slice.name] = messageOf(target.status());
            continue;
        }
        waiting -= 1;
        changes.put_slivers.push_back(placeAnew(*sliver, *target, operation.id));
        countIn(nodes, *target, slice);
    }
    operation.step = refused.empty()
                         ? ""
                         : fmt::format("{} of lost node {} wait for room: {}", waiting, lost, refused.begin()->second);
    const bool known = world.snapshot.operations.contains(operation.id);
    if (!known || operation.step != before.step) changes.put_operations.push_back(std::move(operation));
}

SliverProgress arrivalOf(const World& world, const Sliver& sliver) {
    const SliverView view = viewSliver(world, sliver);
    SliverProgress progress;
    progress.id = sliver.id;
    progress.node = sliver.node;
    progress.node_away = world.nodes.notReady(sliver.node, world.now);
    progress.state = view.state;
    progress.reason = view.reason;
    return progress;
}

}  // namespace

Changes replaceLost(const World& world) {
    Changes changes;
    const Stranded stranded = strandedSlivers(world);
    if (stranded.empty()) return changes;
    std::vector<Candidate> nodes = candidates(world);
    for (const auto& [lost, slivers] : stranded) replaceOn(world, lost, slivers, nodes, changes);
    return changes;
}

Operation viewReplacement(const World& world, const Operation& operation) {
    std::vector<SliverProgress> placed;
    uint32_t unplaced = 0;
    const bool lost = isLost(world, operation.node);
    for (const Sliver* sliver : world.index.placedBy(operation.id)) {
        const auto slice = world.snapshot.slices.find(sliver->id.slice);
        if (slice == world.snapshot.slices.end() || slice->second.deleting) continue;
        placed.push_back(arrivalOf(world, *sliver));
    }
    if (lost) {
        for (const Sliver* sliver : world.index.sliversAt(operation.node)) {
            if (sliver->node == operation.node && isToLeave(world, *sliver)) unplaced += 1;
        }
    }
    return replacementProgress(operation, placed, unplaced, world.now_us);
}

}  // namespace homeslice::controller
