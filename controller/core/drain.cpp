#include "controller/core/drain.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "controller/core/capacity.h"
#include "controller/moves/move.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMovesAtOnce = 4;  // of one drain: each carries a disk over the network

bool hasFailed(const Operation& drain, const SliverId& id) {
    return std::any_of(drain.failures.begin(), drain.failures.end(),
                       [&id](const OperationFailure& failure) { return failure.sliver == id; });
}

size_t movesOf(const World& world, const Operation& drain) {
    const SliverSet& moving = world.index.moving();
    return static_cast<size_t>(std::count_if(
        moving.begin(), moving.end(), [&drain](const Sliver* sliver) { return sliver->move.operation == drain.id; }));
}

absl::StatusOr<std::string> targetFor(const World& world, const Sliver& sliver, const Slice& slice,
                                      const std::vector<Candidate>& nodes) {
    if (sliver.frozen) return failedPrecondition("it is frozen: thaw it first");
    if (slice.suspended) return failedPrecondition("it stands still, for the lease of its slice has ended");
    const PlacementRequest where{
        .node_count = 1, .rules = slice.rules, .cpu_reservation_millis = slice.base.resources.cpu_reservation_millis};
    HS_ASSIGN_OR_RETURN(const Plan plan, place(where, candidatesFor(world, nodes, slice)));
    return plan.places.front().node;
}

// After the controller's start nodes come back one by one: what has nowhere to go now may have in a moment.
bool mayReturn(const World& world) {
    const Monotonic::duration since_start = world.nodes.silence("", world.now);
    return std::any_of(world.snapshot.nodes.begin(), world.snapshot.nodes.end(), [&](const auto& entry) {
        const std::string& name = entry.first;
        return !world.nodes.connected(name) && world.nodes.silence(name, world.now) == since_start &&
               !world.nodes.lost(name, world.now);
    });
}

void goOnDraining(const World& world, const Operation& drain, std::vector<Candidate>& nodes, Changes& changes) {
    if (!world.nodes.notReady(drain.node, world.now).empty()) return;  // a disk cannot be read from there now
    Operation next = drain;
    size_t moving = movesOf(world, drain);
    for (const Sliver* each : world.index.sliversAt(drain.node)) {
        if (moving >= kMovesAtOnce) break;
        const Sliver& sliver = *each;
        const SliverId& id = sliver.id;
        const auto slice = world.snapshot.slices.find(id.slice);
        const bool stays = slice == world.snapshot.slices.end() || slice->second.deleting;
        if (sliver.node != drain.node || sliver.moving() || stays || hasFailed(next, id)) continue;
        const auto target = targetFor(world, sliver, slice->second, nodes);
        if (absl::IsResourceExhausted(target.status()) && mayReturn(world)) continue;  // with a later tick
        if (!target.ok()) {
            next = withFailure(std::move(next), {id, drain.node, messageOf(target.status())});
            continue;
        }
        changes.put_slivers.push_back(beginMove(sliver, *target, drain.id));
        countIn(nodes, *target, slice->second);
        moving += 1;
    }
    if (!(next == drain)) changes.put_operations.push_back(std::move(next));
}

}  // namespace

Operation withFailure(Operation operation, const OperationFailure& failure) {
    operation.failures.push_back(failure);
    return operation;
}

void settleDrains(const World& world, Changes& changes) {
    const std::set<std::string>& drains = world.index.running(OperationKind::drainNode);
    if (drains.empty()) return;
    std::vector<Candidate> nodes = candidates(world);
    for (const std::string& id : drains) goOnDraining(world, world.snapshot.operations.at(id), nodes, changes);
}

}  // namespace homeslice::controller
