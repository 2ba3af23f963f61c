// What clients ask the controller to change in slices that run.
#include <fmt/format.h>

#include "base/log.h"
#include "base/reason.h"
#include "base/status.h"
#include "controller/core/capacity.h"
#include "controller/core/controller.h"
#include "controller/core/loans.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

bool isFreezing(OperationKind kind) { return kind == OperationKind::freeze || kind == OperationKind::thaw; }

// Index 0 is the whole slice.
bool overlap(const SliverId& a, const SliverId& b) {
    return a.slice == b.slice && (a.index == 0 || b.index == 0 || a.index == b.index);
}

absl::Status checkChange(const Slice& slice, const Resources& next) {
    if (slice.deleting) return beingDeleted(slice.name);
    if (next.disk_medium == slice.base.resources.disk_medium) return check(next);
    return failedPrecondition("slice '" + slice.name + "': where its disks are is fixed when it is made");
}

absl::StatusOr<std::vector<Sliver>> reshare(const std::vector<const Sliver*>& slivers, const std::string& slice,
                                            const std::vector<ShareChange>& shares) {
    std::vector<Sliver> result;
    for (const Sliver* sliver : slivers) result.push_back(*sliver);
    for (const ShareChange& share : shares) {
        bool found = share.index == 0;
        for (Sliver& sliver : result) {
            if (share.index != 0 && sliver.id.index != share.index) continue;
            found = true;
            sliver.weight = share.weight.value_or(sliver.weight);
            sliver.draining = share.draining.value_or(sliver.draining);
        }
        if (!found) return notFound("no sliver " + SliverId{slice, share.index}.toString());
    }
    return result;
}

}  // namespace

absl::StatusOr<Operation> Controller::setSlice(const std::string& name, const SliceChange& change,
                                               const std::string& request_id) {
    HS_RETURN_IF_ERROR(checkRequestId(request_id));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* repeated, findRepeated(request_id, OperationKind::setSlice, {name, 0}));
    if (repeated != nullptr) return viewOperation(world(), *repeated);
    HS_ASSIGN_OR_RETURN(const Slice* found, findSlice(name));
    Slice slice = *found;
    if (change.resources) {
        HS_ASSIGN_OR_RETURN(slice.base.resources, change.resources(slice.base.resources));
    }
    HS_RETURN_IF_ERROR(checkChange(*found, slice.base.resources));
    HS_RETURN_IF_ERROR(checkReservations(*found, slice.base.resources.cpu_reservation_millis));
    HS_RETURN_IF_ERROR(checkLoansOf(snapshot_, name, slice.base.resources));
    HS_RETURN_IF_ERROR(checkQuota(snapshot_, *found, slice.base.resources));
    slice.base.balance = change.balance.value_or(slice.base.balance);
    slice.rules.on_node_loss = change.on_node_loss.value_or(slice.rules.on_node_loss);
    Changes changes;
    HS_ASSIGN_OR_RETURN(changes.put_slivers, reshare(sliversOf(snapshot_, name), name, change.shares));
    const auto slivers = static_cast<uint32_t>(sliversOf(snapshot_, name).size());
    const Operation operation = newOperation(OperationKind::setSlice, {name, 0}, slivers, request_id, clock_.utc_us());
    changes.put_slices.push_back(std::move(slice));
    changes.put_operations.push_back(operation);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("slice {}: the settings of its {} slivers change", name, slivers);
    settleAll();
    return viewOperation(world(), snapshot_.operations.at(operation.id));
}

absl::StatusOr<Operation> Controller::setFrozen(const SliverId& subject, bool frozen, const std::string& request_id) {
    HS_RETURN_IF_ERROR(checkRequestId(request_id));
    const OperationKind kind = frozen ? OperationKind::freeze : OperationKind::thaw;
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* repeated, findRepeated(request_id, kind, subject));
    if (repeated != nullptr) return viewOperation(world(), *repeated);
    HS_ASSIGN_OR_RETURN(const std::vector<const Sliver*> slivers, findSubjects(subject));
    Changes changes;
    for (const Sliver* sliver : slivers) {
        changes.put_slivers.push_back(*sliver);
        changes.put_slivers.back().frozen = frozen;
    }
    const int64_t now_us = clock_.utc_us();
    for (const auto& [id, running] : snapshot_.operations) {
        const bool overruled = !running.ended() && isFreezing(running.kind) && overlap(running.subject, subject);
        if (!overruled || running.kind == kind) continue;
        const std::string why = std::string("a later ") + toString(kind) + " overrules it";
        changes.put_operations.push_back(failed(running, {running.subject, "", why}, now_us));
    }
    const Operation operation = newOperation(kind, subject, static_cast<uint32_t>(slivers.size()), request_id, now_us);
    changes.put_operations.push_back(operation);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    settleAll();
    return viewOperation(world(), snapshot_.operations.at(operation.id));
}

// Guarantees are never oversold.
absl::Status Controller::checkReservations(const Slice& slice, uint32_t cpu_reservation_millis) const {
    const uint32_t now = slice.base.resources.cpu_reservation_millis;
    if (cpu_reservation_millis <= now) return absl::OkStatus();
    std::map<std::string, uint64_t> more_on;
    for (const Sliver* sliver : sliversOf(snapshot_, slice.name)) more_on[sliver->node] += cpu_reservation_millis - now;
    for (const Candidate& node : candidatesFor(world(), candidates(world()), slice)) {
        const auto more = more_on.find(node.name);
        if (more == more_on.end() || node.reserved_millis + more->second <= node.cpu_millis) continue;
        const std::string held = node.held_by.empty() ? "" : " (" + node.held_by + ")";
        const absl::Status over =
            resourceExhausted(fmt::format("node '{}' has {}m of {}m CPU reserved{}, {}m more are too many", node.name,
                                          node.reserved_millis, node.cpu_millis, held, more->second));
        return because(over, reason::kUnplaceable, {{"node", node.name}});
    }
    return absl::OkStatus();
}

// The slivers that are to stand still or to go on, each of which can be told so.
absl::StatusOr<std::vector<const Sliver*>> Controller::findSubjects(const SliverId& subject) const {
    HS_ASSIGN_OR_RETURN(const Slice* slice, findSlice(subject.slice));
    if (slice->deleting) return beingDeleted(slice->name);
    if (slice->suspended) {
        return because(failedPrecondition("the lease of slice '" + slice->name + "' has ended: slicectl slice renew " +
                                          slice->name),
                       reason::kLeaseEnded, {{"slice", slice->name}});
    }
    std::vector<const Sliver*> slivers = sliversOf(snapshot_, subject.slice);
    if (subject.index != 0) {
        HS_ASSIGN_OR_RETURN(const Sliver* sliver, findSliver(subject));
        slivers = {sliver};
    }
    for (const Sliver* sliver : slivers) {
        if (!sliver->moving()) continue;
        return aborted("sliver " + sliver->id.toString() + " moves to node '" + sliver->move.target + "'");
    }
    return slivers;
}

}  // namespace homeslice::controller
