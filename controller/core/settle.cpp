#include "controller/core/settle.h"

#include <algorithm>
#include <iterator>
#include <limits>
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

// As it is to stay: on its node, and nowhere else.
bool isAtRest(const Sliver& sliver) {
    return !sliver.moving() && sliver.holders.size() == 1 && *sliver.holders.begin() == sliver.node;
}

void settleSliver(const World& world, const Sliver& sliver, Changes& changes) {
    const bool deleting = isDeleting(world, sliver.id);
    if (!deleting && isAtRest(sliver)) return;
    Sliver next = sliver;
    forgetHolders(world, next, deleting);
    // Not both at once: roles that change now were not asked for when the nodes spoke.
    if (!deleting && next == sliver && sliver.moving()) next = goOnMoving(world, sliver, changes);
    if (deleting && next.holders.empty()) {
        changes.erase_slivers.push_back(sliver.id);
    } else if (!(next == sliver)) {
        changes.put_slivers.push_back(std::move(next));
    }
}

void settleSlivers(const World& world, std::vector<SliverId> ids, Changes& changes) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (const SliverId& id : ids) {
        const auto sliver = world.snapshot.slivers.find(id);
        if (sliver != world.snapshot.slivers.end()) settleSliver(world, sliver->second, changes);
    }
}

void settleSlices(const World& world, const std::set<std::string>& names, Changes& changes) {
    for (const std::string& name : names) {
        const auto slice = world.snapshot.slices.find(name);
        if (slice == world.snapshot.slices.end() || !slice->second.deleting) continue;
        if (world.index.sliversOf(name) == 0) changes.erase_slices.push_back(name);
    }
}

// A move ends with its sliver's, a rebalancing when there is nothing left to move, an import with its stream.
bool endsElsewhere(OperationKind kind) {
    return kind == OperationKind::moveSliver || kind == OperationKind::rebalance || kind == OperationKind::importImage;
}

// Looks on from where something was awaited last, round to there.
bool awaitsAny(const World& world, const Operation& operation, Awaited& awaited) {
    const auto& slivers = world.snapshot.slivers;
    const std::string& slice = operation.subject.slice;
    const auto end = slivers.upper_bound({slice, std::numeric_limits<uint32_t>::max()});
    const auto begin = slivers.lower_bound({slice, 0});
    const auto known = awaited.find(operation.id);
    const auto middle = known == awaited.end() ? begin : slivers.lower_bound(known->second);
    for (const auto& [from, to] : {std::pair(middle, end), std::pair(begin, middle)}) {
        for (auto sliver = from; sliver != to; ++sliver) {
            if (!isAwaited(world, operation, sliver->second)) continue;
            awaited[operation.id] = sliver->first;
            return true;
        }
    }
    awaited.erase(operation.id);
    return false;
}

// Without making the whole view, which looks at everything that the operation is about.
bool isStillRunning(const World& world, const Operation& operation, Awaited& awaited) {
    switch (operation.kind) {
        case OperationKind::createSlice:
        case OperationKind::setSlice:
        case OperationKind::freeze:
        case OperationKind::thaw:
            return operation.subject.index == 0 && awaitsAny(world, operation, awaited);
        case OperationKind::deleteSlice:
            return world.index.sliversOf(operation.subject.slice) > 0;
        case OperationKind::moveSliver:
        case OperationKind::drainNode:
        case OperationKind::replaceSlivers:
        case OperationKind::rebalance:
        case OperationKind::importImage:
            return false;
    }
    return false;
}

void settleOperations(const World& world, const std::set<std::string>& ids, Awaited& awaited, Changes& changes) {
    for (const std::string& id : ids) {
        const auto found = world.snapshot.operations.find(id);
        if (found == world.snapshot.operations.end()) continue;
        const Operation& operation = found->second;
        if (operation.ended() || endsElsewhere(operation.kind) || isStillRunning(world, operation, awaited)) continue;
        Operation now = progressNow(world, operation);
        if (now.ended()) changes.put_operations.push_back(std::move(now));
    }
}

void addAll(const std::set<std::string>& ids, std::set<std::string>& all) { all.insert(ids.begin(), ids.end()); }

// A sliver, and what waits for it.
void addSliver(const World& world, const SliverId& id, Unsettled& unsettled) {
    unsettled.slivers.push_back(id);
    addAll(world.index.runningAbout(id.slice), unsettled.operations);
    if (world.index.running(OperationKind::replaceSlivers).empty()) return;
    const auto sliver = world.snapshot.slivers.find(id);
    if (sliver != world.snapshot.slivers.end() && !sliver->second.placed_by.empty()) {
        unsettled.operations.insert(sliver->second.placed_by);
    }
}

}  // namespace

void Unsettled::add(Unsettled other) {
    slivers.insert(slivers.end(), std::make_move_iterator(other.slivers.begin()),
                   std::make_move_iterator(other.slivers.end()));
    slices.merge(other.slices);
    operations.merge(other.operations);
    rows = rows || other.rows;
}

Unsettled unsettledBy(const Changes& changes, const World& world) {
    Unsettled unsettled;
    unsettled.rows = true;
    for (const Sliver& sliver : changes.put_slivers) addSliver(world, sliver.id, unsettled);
    for (const SliverId& id : changes.erase_slivers) {
        addSliver(world, id, unsettled);
        unsettled.slices.insert(id.slice);
    }
    for (const Slice& slice : changes.put_slices) {
        unsettled.slices.insert(slice.name);
        addAll(world.index.runningAbout(slice.name), unsettled.operations);
        if (!slice.deleting) continue;
        for (const Sliver* sliver : sliversOf(world.snapshot, slice.name)) unsettled.slivers.push_back(sliver->id);
    }
    for (const Operation& operation : changes.put_operations) unsettled.operations.insert(operation.id);
    for (const OperationKind kind : {OperationKind::drainNode, OperationKind::replaceSlivers}) {
        addAll(world.index.running(kind), unsettled.operations);
    }
    return unsettled;
}

Unsettled unsettledBy(const NodeTable::News& news, const std::string& node, const World& world) {
    Unsettled unsettled;
    for (const SliverId& id : news.slivers) addSliver(world, id, unsettled);
    if (!news.all) return unsettled;
    for (const Sliver* sliver : world.index.sliversAt(node)) addSliver(world, sliver->id, unsettled);
    return unsettled;
}

Unsettled unsettledByTime(const World& world) {
    Unsettled unsettled;
    for (const Sliver* sliver : world.index.moving()) unsettled.slivers.push_back(sliver->id);
    for (const OperationKind kind :
         {OperationKind::drainNode, OperationKind::replaceSlivers, OperationKind::rebalance}) {
        const std::set<std::string>& running = world.index.running(kind);
        addAll(running, unsettled.operations);
        unsettled.rows = unsettled.rows || !running.empty();
    }
    return unsettled;
}

Unsettled unsettledByStart(const World& world) {
    Unsettled unsettled = unsettledByTime(world);
    for (const auto& [name, slice] : world.snapshot.slices) {
        if (!slice.deleting) continue;
        unsettled.slices.insert(name);
        for (const Sliver* sliver : sliversOf(world.snapshot, name)) unsettled.slivers.push_back(sliver->id);
    }
    for (const auto& [id, operation] : world.snapshot.operations) {
        if (!operation.ended()) unsettled.operations.insert(id);
    }
    return unsettled;
}

Changes settle(const World& world, const Unsettled& unsettled, Awaited& awaited) {
    Changes changes;
    settleSlivers(world, unsettled.slivers, changes);
    settleSlices(world, unsettled.slices, changes);
    settleOperations(world, unsettled.operations, awaited, changes);
    // On what is settled only: a sliver's row is written once a batch.
    if (changes.empty() && unsettled.rows) settleDrains(world, changes);
    if (changes.empty() && unsettled.rows) settleRebalances(world, changes);
    return changes;
}

}  // namespace homeslice::controller
