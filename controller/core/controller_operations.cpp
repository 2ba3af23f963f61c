// Operations as clients see them: lists, and the end out of band. And what the controller begins by itself.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/reason.h"
#include "base/status.h"
#include "controller/core/controller.h"
#include "controller/core/own_entry.h"
#include "controller/core/replace.h"
#include "controller/moves/move.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

// How often the policy looks at the nodes' loads, and how long it leaves them alone after a rebalancing.
constexpr std::chrono::seconds kLookEvery{30};
constexpr std::chrono::microseconds kLeaveAlone{std::chrono::minutes(10)};

// Moves that the operation has begun go back to where they came from: no node has to answer for that.
void rollBackMoves(const Index& index, const Operation& operation, Changes& changes) {
    for (const Sliver* sliver : index.moving()) {
        if (sliver->move.operation == operation.id) changes.put_slivers.push_back(rollBack(*sliver));
    }
}

void markFrozen(const Snapshot& snapshot, const SliverId& subject, bool frozen, Changes& changes) {
    for (const Sliver* sliver : sliversOf(snapshot, subject.slice)) {
        if (subject.index != 0 && subject != sliver->id) continue;
        changes.put_slivers.push_back(*sliver);
        changes.put_slivers.back().frozen = frozen;
    }
}

// What stands against a cancellation; OK when it can be.
absl::Status checkCancel(const Operation& operation) {
    const std::string name = std::string("operation ") + operation.id + " (" + toString(operation.kind) + ")";
    if (operation.ended()) {
        return because(failedPrecondition(name + " has ended: " + operation.step), reason::kOperationEnded,
                       {{"operation", operation.id}});
    }
    if (operation.kind == OperationKind::deleteSlice) {
        return failedPrecondition(name + " cannot be taken back: disks are being removed");
    }
    if (operation.kind == OperationKind::replaceSlivers) {
        return failedPrecondition(name +
                                  " follows from what the slices say: slicectl slice set SLICE --on-node-loss stay");
    }
    return absl::OkStatus();
}

const char* resultOf(OperationKind kind) {
    switch (kind) {
        case OperationKind::createSlice:
            return "cancelled: the slice is removed";
        case OperationKind::setSlice:
            return "cancelled: the new settings stay, nobody waits for the nodes";
        case OperationKind::freeze:
            return "cancelled: all slivers are to go on";
        case OperationKind::thaw:
            return "cancelled: all slivers are to stand still";
        case OperationKind::drainNode:
            return "cancelled: moves under way went back, the node stays cordoned";
        case OperationKind::moveSliver:
        case OperationKind::rebalance:
            return "cancelled: moves under way went back";
        case OperationKind::importImage:
            return "cancelled: nothing is stored";
        case OperationKind::deleteSlice:
        case OperationKind::replaceSlivers:
            return "";
    }
    return "";
}

}  // namespace

absl::StatusOr<const Operation*> Controller::findOperation(const std::string& id) const {
    const auto found = snapshot_.operations.find(id);
    if (found == snapshot_.operations.end()) {
        const std::string shown = id.substr(0, 64);
        return because(notFound("no operation '" + shown + "'"), reason::kOperationNotFound, {{"operation", shown}});
    }
    return &found->second;
}

std::vector<Operation> Controller::operations() const {
    const std::lock_guard lock(mutex_);
    std::vector<Operation> all;
    for (const auto& [id, operation] : snapshot_.operations) all.push_back(viewOperation(world(), operation));
    std::stable_sort(all.begin(), all.end(),
                     [](const Operation& a, const Operation& b) { return a.started_us < b.started_us; });
    return all;
}

absl::StatusOr<Operation> Controller::operation(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* found, findOperation(id));
    return viewOperation(world(), *found);
}

absl::StatusOr<Operation> Controller::cancelOperation(const std::string& id) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* found, findOperation(id));
    if (found->state == OperationState::cancelled) return *found;
    HS_RETURN_IF_ERROR(checkCancel(*found));
    HS_RETURN_IF_ERROR(commit(planCancel(viewOperation(world(), *found))));
    import_bytes_.erase(id);
    logInfo("operation {} ({} {}) is cancelled", id, toString(found->kind), subjectText(*found));
    settleAll();
    return viewOperation(world(), snapshot_.operations.at(id));
}

Changes Controller::planCancel(const Operation& operation) const {
    const SliverId& subject = operation.subject;
    Changes changes;
    switch (operation.kind) {
        case OperationKind::createSlice:
            changes = planDeletion(snapshot_.slices.at(subject.slice), "");
            // The deletion ends what runs about the slice, this one among them.
            std::erase_if(changes.put_operations, [&](const Operation& each) { return each.id == operation.id; });
            break;
        case OperationKind::moveSliver:
        case OperationKind::drainNode:
        case OperationKind::rebalance:
            rollBackMoves(index_, operation, changes);
            break;
        case OperationKind::freeze:
            markFrozen(snapshot_, subject, false, changes);
            break;
        case OperationKind::thaw:
            markFrozen(snapshot_, subject, true, changes);
            break;
        case OperationKind::setSlice:
        case OperationKind::importImage:
        case OperationKind::deleteSlice:
        case OperationKind::replaceSlivers:
            break;
    }
    changes.put_operations.push_back(markCancelled(operation, resultOf(operation.kind), clock_.utc_us()));
    return changes;
}

void Controller::placeLostAnew() {
    Changes changes = replaceLost(world());
    if (changes.empty()) return;
    std::set<std::string> lost;
    for (const Sliver& sliver : changes.put_slivers) {
        lost.insert(snapshot_.slivers.at(sliver.id).node);
        logWarning("sliver {}: its node {} is lost, placed anew on node {} with generation {}", sliver.id.toString(),
                   snapshot_.slivers.at(sliver.id).node, sliver.node, sliver.generation);
    }
    if (!lost.empty()) {
        changes.audit = ownEntry(clock_.utc_us(), "ReplaceSlivers", fmt::format("{}", fmt::join(lost, ", ")),
                                 fmt::format("lost: {} slivers are placed anew", changes.put_slivers.size()));
    }
    for (const Operation& operation : changes.put_operations) {
        if (!operation.step.empty()) logWarning("{}", operation.step);
    }
    if (const absl::Status stored = commit(std::move(changes)); !stored.ok()) {
        logError("slivers of lost nodes are not placed anew: {}", messageOf(stored));
    }
}

absl::StatusOr<Operation> Controller::rebalanceNodes(const std::string& request_id) {
    HS_RETURN_IF_ERROR(checkRequestId(request_id));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* repeated, findRepeated(request_id, OperationKind::rebalance, {}));
    if (repeated != nullptr) return viewOperation(world(), *repeated);
    const std::set<std::string>& running = index_.running(OperationKind::rebalance);
    if (!running.empty()) return viewOperation(world(), snapshot_.operations.at(*running.begin()));
    const Operation operation = newOperation(OperationKind::rebalance, {}, 0, request_id, clock_.utc_us());
    Changes changes;
    changes.put_operations.push_back(operation);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    settleAll();
    return viewOperation(world(), snapshot_.operations.at(operation.id));
}

std::vector<RebalanceStep> Controller::planRebalance() const {
    constexpr size_t kShown = 1000;
    const std::lock_guard lock(mutex_);
    return controller::planRebalance(world(), {}, kShown);
}

void Controller::rebalanceByPolicy() {
    const Monotonic::time_point now = clock_.monotonic();
    if (config_.rebalance_above == 0 || now - balance_looked_at_ < kLookEvery) return;
    balance_looked_at_ = now;
    const int64_t now_us = clock_.utc_us();
    for (const auto& [id, operation] : snapshot_.operations) {
        if (operation.kind != OperationKind::rebalance) continue;
        if (!operation.ended() || operation.ended_us + kLeaveAlone.count() > now_us) return;
    }
    const double spread = loadSpread(world());
    if (spread <= config_.rebalance_above || controller::planRebalance(world(), {}, 1).empty()) return;
    logInfo("the fullest node is {:.0f} points above the emptiest: rebalancing", spread);
    Changes changes;
    changes.put_operations.push_back(newOperation(OperationKind::rebalance, {}, 0, "", now_us));
    changes.audit = ownEntry(now_us, "RebalanceNodes", "",
                             fmt::format("the fullest node is {:.0f} points above the emptiest", spread));
    if (const absl::Status stored = commit(std::move(changes)); !stored.ok()) {
        logError("no rebalancing is begun: {}", messageOf(stored));
    }
}

}  // namespace homeslice::controller
