// What clients ask the controller to change.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/names.h"
#include "base/reason.h"
#include "base/status.h"
#include "controller/addresses/addresses.h"
#include "controller/core/capacity.h"
#include "controller/core/controller.h"
#include "controller/leases/leases.h"
#include "controller/moves/move.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

Sliver newSliver(const SliverId& id, const std::string& node) {
    Sliver sliver;
    sliver.id = id;
    sliver.node = node;
    sliver.generation = 1;
    sliver.last_generation = 1;
    sliver.holders = {node};
    return sliver;
}

int64_t leaseEnd(int64_t now_us, std::chrono::seconds lease) {
    return now_us + std::chrono::duration_cast<std::chrono::microseconds>(lease).count();
}

// After a restart or a takeover the nodes come back one by one. Until they had time to, what does not fit may fit in a
// moment: the client is told to come again.
absl::Status unlessNodesReturn(const World& world, std::chrono::milliseconds timeout, const absl::Status& why) {
    constexpr int kComeAgainMs = 300;
    const Monotonic::duration since_start = world.nodes.silence("", world.now);
    if (since_start >= timeout) return why;
    const auto awaited =
        std::count_if(world.snapshot.nodes.begin(), world.snapshot.nodes.end(), [&](const auto& entry) {
            return world.nodes.silence(entry.first, world.now) == since_start && !world.nodes.connected(entry.first);
        });
    if (awaited == 0) return why;
    return because(unavailable(fmt::format("the controller has just started, and {} of {} nodes are not back yet: {}",
                                           awaited, world.snapshot.nodes.size(), messageOf(why))),
                   reason::kNodeAway, {{kRetryAfterFact, std::to_string(kComeAgainMs)}});
}

}  // namespace

absl::StatusOr<Operation> Controller::createSlice(const CreateSliceRequest& request) {
    HS_RETURN_IF_ERROR(checkRequest(request));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* repeated,
                        findRepeated(request.request_id, OperationKind::createSlice, {request.name, 0}));
    const auto made = snapshot_.slices.find(request.name);
    const bool anothers = made != snapshot_.slices.end() && made->second.owner != request.owner;
    if (repeated != nullptr && !anothers) return viewOperation(world(), *repeated);
    HS_RETURN_IF_ERROR(checkNameFree(request.name));
    HS_ASSIGN_OR_RETURN(Changes changes, newSlice(request));
    const Operation operation = changes.put_operations.front();
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("slice {}: created with {} slivers of image {}", request.name, operation.total, request.base.image);
    return viewOperation(world(), operation);
}

absl::StatusOr<Plan> Controller::planSlice(const CreateSliceRequest& request) const {
    HS_RETURN_IF_ERROR(checkRequest(request));
    const std::lock_guard lock(mutex_);
    HS_RETURN_IF_ERROR(checkNameFree(request.name));
    HS_RETURN_IF_ERROR(findImage(request.base.image).status());
    return placeSlice(request);
}

absl::StatusOr<Plan> Controller::placeSlice(const CreateSliceRequest& request) const {
    PlacementRequest where = request.where;
    where.cpu_reservation_millis = request.base.resources.cpu_reservation_millis;
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lease, checkLease(request.lease_s, config_.default_lease));
    HS_RETURN_IF_ERROR(checkReservationOf(request));
    Slice slice;
    slice.name = request.name;
    slice.reservation = request.reservation;
    slice.lease_end_us = leaseEnd(clock_.utc_us(), lease);
    absl::StatusOr<Plan> plan =
        place(where, candidatesFor(world(), candidates(world(), where.rules.apart_from), slice));
    if (!plan.ok()) return unlessNodesReturn(world(), config_.node_timeout, plan.status());
    HS_RETURN_IF_ERROR(checkQuota(snapshot_, request.owner, plan->places.size(), request.base.resources));
    return plan;
}

absl::StatusOr<Changes> Controller::newSlice(const CreateSliceRequest& request) const {
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lease, checkLease(request.lease_s, config_.default_lease));
    HS_ASSIGN_OR_RETURN(const Image* image, findImage(request.base.image));
    HS_ASSIGN_OR_RETURN(const Plan plan, placeSlice(request));
    HS_ASSIGN_OR_RETURN(const uint32_t number,
                        nextSliceNumber(config_.home_prefix, snapshot_.last_slice_number, index_.sliceNumbers()));
    const int64_t now_us = clock_.utc_us();
    Slice slice;
    slice.name = request.name;
    slice.number = number;
    slice.base = request.base;
    slice.base.image_digest = image->digest;
    slice.owner = request.owner;
    slice.created_us = now_us;
    slice.lease_end_us = leaseEnd(now_us, lease);
    if (!request.reservation.empty()) {
        slice.lease_end_us = std::min(slice.lease_end_us, snapshot_.reservations.at(request.reservation).end_us);
    }
    slice.reservation = request.reservation;
    slice.rules = request.where.rules;
    Changes changes;
    changes.last_slice_number = number;
    changes.put_slices.push_back(std::move(slice));
    for (const Place& place : plan.places) {
        const auto index = static_cast<uint32_t>(changes.put_slivers.size() + 1);
        changes.put_slivers.push_back(newSliver({request.name, index}, place.node));
    }
    changes.put_operations.push_back(newOperation(OperationKind::createSlice, {request.name, 0},
                                                  static_cast<uint32_t>(plan.places.size()), request.request_id,
                                                  now_us));
    return changes;
}

absl::StatusOr<Operation> Controller::deleteSlice(const std::string& name, const std::string& request_id) {
    HS_RETURN_IF_ERROR(checkRequestId(request_id));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* repeated, findRepeated(request_id, OperationKind::deleteSlice, {name, 0}));
    if (repeated != nullptr) return viewOperation(world(), *repeated);
    HS_ASSIGN_OR_RETURN(const Slice* slice, findSlice(name));
    if (const Operation* running = runningDeletion(name)) return viewOperation(world(), *running);
    HS_ASSIGN_OR_RETURN(const Operation operation, beginDeletion(*slice, request_id));
    settleAll();
    return viewOperation(world(), snapshot_.operations.at(operation.id));
}

// Its last operation is the deletion.
Changes Controller::planDeletion(const Slice& slice, const std::string& request_id) const {
    const int64_t now_us = clock_.utc_us();
    Changes changes;
    changes.put_slices.push_back(slice);
    changes.put_slices.back().deleting = true;
    for (const std::string& id : index_.runningAbout(slice.name)) {
        const Operation& operation = snapshot_.operations.at(id);
        changes.put_operations.push_back(failed(operation, {operation.subject, "", "the slice is deleted"}, now_us));
    }
    for (const auto& [key, loan] : snapshot_.loans) {
        if (loan.lender != slice.name && loan.borrower != slice.name) continue;
        logWarning("slice {} is deleted: the loan of {}m CPU to slice {} ends", loan.lender, loan.cpu_millis,
                   loan.borrower);
        changes.erase_loans.push_back(key);
    }
    const auto slivers = static_cast<uint32_t>(sliversOf(snapshot_, slice.name).size());
    changes.put_operations.push_back(
        newOperation(OperationKind::deleteSlice, {slice.name, 0}, slivers, request_id, now_us));
    return changes;
}

absl::StatusOr<Operation> Controller::beginDeletion(const Slice& slice, const std::string& request_id) {
    Changes changes = planDeletion(slice, request_id);
    Operation operation = changes.put_operations.back();
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("slice {}: deleting {} slivers", operation.subject.slice, operation.total);
    return operation;
}

absl::StatusOr<RenewedSlice> Controller::renewSlice(const std::string& name, uint32_t lease_s) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Slice* found, findSlice(name));
    if (found->deleting) return beingDeleted(name);
    Slice slice = *found;
    const std::chrono::seconds granted_most = grantRenewal(lease_s, config_.default_lease);
    HS_ASSIGN_OR_RETURN(GrantedLease granted, grantLease(world(), slice, leaseEnd(clock_.utc_us(), granted_most)));
    if (granted.note.empty() && lease_s > granted_most.count()) granted.note = "a lease is 30 days at most";
    slice.lease_end_us = granted.end_us;
    slice.suspended = false;
    Changes changes;
    changes.put_slices.push_back(slice);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    return RenewedSlice{viewSlice(world(), slice), granted.note};
}

absl::StatusOr<Operation> Controller::moveSliver(const SliverId& id, const std::string& to_node,
                                                 const std::string& request_id) {
    HS_RETURN_IF_ERROR(checkRequestId(request_id));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* repeated, findRepeated(request_id, OperationKind::moveSliver, id));
    if (repeated != nullptr) return viewOperation(world(), *repeated);
    HS_ASSIGN_OR_RETURN(const Sliver* sliver, findSliver(id));
    HS_RETURN_IF_ERROR(checkMove(*sliver, to_node));
    const Operation operation = newOperation(OperationKind::moveSliver, id, 1, request_id, clock_.utc_us());
    Changes changes;
    changes.put_operations.push_back(operation);
    changes.put_slivers.push_back(beginMove(*sliver, to_node, operation.id));
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    return viewOperation(world(), operation);
}

absl::Status Controller::checkMove(const Sliver& sliver, const std::string& to_node) const {
    HS_ASSIGN_OR_RETURN(const Slice* slice, findSlice(sliver.id.slice));
    HS_RETURN_IF_ERROR(findNode(to_node).status());
    if (slice->deleting) return beingDeleted(slice->name);
    if (sliver.moving()) {
        return aborted("sliver " + sliver.id.toString() + " moves to node '" + sliver.move.target + "' already");
    }
    if (sliver.frozen) return failedPrecondition("sliver " + sliver.id.toString() + " is frozen: thaw it first");
    if (sliver.node == to_node) {
        return failedPrecondition("sliver " + sliver.id.toString() + " is on node '" + to_node + "' already");
    }
    if (const std::string away = nodes_.notReady(sliver.node, clock_.monotonic()); !away.empty()) {
        return unlessNodesReturn(
            world(), config_.node_timeout,
            failedPrecondition("node '" + sliver.node + "', which it is on, is not ready: " + away));
    }
    const PlacementRequest where{.nodes = {to_node},
                                 .rules = slice->rules,
                                 .cpu_reservation_millis = slice->base.resources.cpu_reservation_millis};
    const auto plan = place(where, candidatesFor(world(), candidates(world(), slice->rules.apart_from), *slice));
    return plan.ok() ? absl::OkStatus() : unlessNodesReturn(world(), config_.node_timeout, plan.status());
}

}  // namespace homeslice::controller
