#include "controller/core/settle.h"

#include <optional>
#include <utility>

#include "controller/core/drain.h"
#include "controller/core/rebalance.h"
#include "controller/moves/move.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

bool isDeleting(const World& world, const SliverId& id) {
    const auto slice = world.snapshot.slices.find(id.slice);
    return slice == world.snapshot.slices.end() || slice->second.deleting;
}

// The node's word on its role in the move, if it has taken that role in.
const SliverReport* wordOf(const World& world, const std::string& node, const SliverId& id, uint64_t generation) {
    const SliverReport* report = world.nodes.currentReport(node, id);
    return report != nullptr && report->generation == generation ? report : nullptr;
}

MoveFacts factsOf(const World& world, const Sliver& sliver) {
    const Move& move = sliver.move;
    return {.source_lost = world.nodes.lost(move.source, world.now),
            .target_lost = world.nodes.lost(move.target, world.now),
            .source = wordOf(world, move.source, sliver.id, move.source_generation),
            .target = wordOf(world, move.target, sliver.id, move.target_generation)};
}

// Several slivers of one drain may fail in one batch.
void noteFailure(const Operation& drain, const OperationFailure& failure, Changes& changes) {
    for (Operation& operation : changes.put_operations) {
        if (operation.id != drain.id) continue;
        operation = withFailure(std::move(operation), failure);
        return;
    }
    changes.put_operations.push_back(withFailure(drain, failure));
}

void endMoveOperation(const World& world, const Move& move, const SliverId& id, const std::string& failure,
                      Changes& changes) {
    const auto found = world.snapshot.operations.find(move.operation);
    if (found == world.snapshot.operations.end() || found->second.ended()) return;
    // Of many moves: what succeeds is counted from the rows.
    if (found->second.kind == OperationKind::drainNode || found->second.kind == OperationKind::rebalance) {
        if (!failure.empty()) noteFailure(found->second, {id, move.target, failure}, changes);
        return;
    }
    changes.put_operations.push_back(failure.empty()
                                         ? succeeded(found->second, "runs on node " + move.target, world.now_us)
                                         : failed(found->second, {id, move.target, failure}, world.now_us));
}

Sliver goOnMoving(const World& world, const Sliver& sliver, Changes& changes) {
    const MoveDecision decision = decide(sliver, factsOf(world, sliver));
    switch (decision.verdict) {
        case MoveVerdict::wait:
            return sliver;
        case MoveVerdict::advance:
            return advance(sliver);
        case MoveVerdict::complete:
            endMoveOperation(world, sliver.move, sliver.id, "", changes);
            return complete(sliver);
        case MoveVerdict::rollBack:
            endMoveOperation(world, sliver.move, sliver.id, decision.reason, changes);
            return rollBack(sliver);
    }
    return sliver;
}

// A node that should hold nothing of it, and says so, is no holder any more.
void forgetHolders(const World& world, Sliver& sliver, bool deleting) {
    std::erase_if(sliver.holders, [&](const std::string& node) {
        return (deleting || !roleOn(sliver, node)) && world.nodes.reportsAbsence(node, sliver.id);
    });
}

void settleSlivers(const World& world, Changes& changes) {
    for (const auto& [id, sliver] : world.snapshot.slivers) {
        const bool deleting = isDeleting(world, id);
        Sliver next = sliver;
        forgetHolders(world, next, deleting);
        // Not both at once: roles that change now were not asked for when the nodes spoke.
        if (!deleting && next == sliver && sliver.moving()) next = goOnMoving(world, sliver, changes);
        if (deleting && next.holders.empty()) {
            changes.erase_slivers.push_back(id);
        } else if (!(next == sliver)) {
            changes.put_slivers.push_back(std::move(next));
        }
    }
}

void settleSlices(const World& world, Changes& changes) {
    for (const auto& [name, slice] : world.snapshot.slices) {
        if (slice.deleting && sliversOf(world.snapshot, name).empty()) changes.erase_slices.push_back(name);
    }
}

// A move ends with its sliver's, a rebalancing when there is nothing left to move, an import with its stream.
bool endsElsewhere(OperationKind kind) {
    return kind == OperationKind::moveSliver || kind == OperationKind::rebalance || kind == OperationKind::importImage;
}

void settleOperations(const World& world, Changes& changes) {
    for (const auto& [id, operation] : world.snapshot.operations) {
        if (operation.ended() || endsElsewhere(operation.kind)) continue;
        Operation now = viewOperation(world, operation);
        if (now.ended()) changes.put_operations.push_back(std::move(now));
    }
}

}  // namespace

Changes settle(const World& world) {
    Changes changes;
    settleSlivers(world, changes);
    settleSlices(world, changes);
    settleOperations(world, changes);
    // On what is settled only: a sliver's row is written once a batch.
    if (changes.empty()) settleDrains(world, changes);
    if (changes.empty()) settleRebalances(world, changes);
    return changes;
}

}  // namespace homeslice::controller
