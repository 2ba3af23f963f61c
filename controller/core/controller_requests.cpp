// What clients ask the controller to change.
#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/names.h"
#include "base/status.h"
#include "controller/addresses/addresses.h"
#include "controller/core/controller.h"
#include "controller/leases/leases.h"
#include "controller/moves/move.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

std::set<uint32_t> numbersInUse(const Snapshot& snapshot) {
    std::set<uint32_t> numbers;
    for (const auto& [name, slice] : snapshot.slices) numbers.insert(slice.number);
    return numbers;
}

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

bool concerns(const Operation& operation, const std::string& slice) { return operation.subject.slice == slice; }

}  // namespace

absl::StatusOr<ImageView> Controller::addImage(const std::string& name, const std::string& digest, Receiver& receiver) {
    HS_RETURN_IF_ERROR(checkName("image name", name));
    const std::lock_guard lock(mutex_);
    // Under the lock: an archive that no row names yet would otherwise be swept up as unused.
    HS_RETURN_IF_ERROR(receiver.publish());
    const Image image{name, digest, receiver.size(), clock_.utc_us()};
    Changes changes;
    changes.put_images.push_back(image);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("image {} is {}, {} bytes", name, digest, image.size_bytes);
    return viewImage(world(), image);
}

absl::Status Controller::removeImage(const std::string& name) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Image* image, findImage(name));
    if (const uint32_t users = slicesUsing(snapshot_, image->digest); users != 0) {
        return failedPrecondition(
            fmt::format("image '{}' is in use by {} slice{}", name, users, users == 1 ? "" : "s"));
    }
    Changes changes;
    changes.erase_images.push_back(name);
    return commit(std::move(changes));
}

absl::StatusOr<Operation> Controller::createSlice(const CreateSliceRequest& request) {
    HS_RETURN_IF_ERROR(checkRequest(request));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* repeated,
                        findRepeated(request.request_id, OperationKind::createSlice, {request.name, 0}));
    if (repeated != nullptr) return viewOperation(world(), *repeated);
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
    return place(where, candidates(world()));
}

absl::StatusOr<Changes> Controller::newSlice(const CreateSliceRequest& request) const {
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds lease, checkLease(request.lease_s, config_.default_lease));
    HS_ASSIGN_OR_RETURN(const Image* image, findImage(request.base.image));
    HS_ASSIGN_OR_RETURN(const Plan plan, placeSlice(request));
    HS_ASSIGN_OR_RETURN(const uint32_t number,
                        nextSliceNumber(config_.home_prefix, snapshot_.last_slice_number, numbersInUse(snapshot_)));
    const int64_t now_us = clock_.utc_us();
    Slice slice;
    slice.name = request.name;
    slice.number = number;
    slice.base = request.base;
    slice.base.image_digest = image->digest;
    slice.owner = request.owner;
    slice.created_us = now_us;
    slice.lease_end_us = leaseEnd(now_us, lease);
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

absl::StatusOr<Operation> Controller::beginDeletion(const Slice& slice, const std::string& request_id) {
    const int64_t now_us = clock_.utc_us();
    Changes changes;
    changes.put_slices.push_back(slice);
    changes.put_slices.back().deleting = true;
    for (const auto& [id, operation] : snapshot_.operations) {
        if (operation.ended() || !concerns(operation, slice.name)) continue;
        changes.put_operations.push_back(failed(operation, {operation.subject, "", "the slice is deleted"}, now_us));
    }
    const auto slivers = static_cast<uint32_t>(sliversOf(snapshot_, slice.name).size());
    Operation operation = newOperation(OperationKind::deleteSlice, {slice.name, 0}, slivers, request_id, now_us);
    changes.put_operations.push_back(operation);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    logInfo("slice {}: deleting {} slivers", operation.subject.slice, slivers);
    return operation;
}

absl::StatusOr<SliceView> Controller::renewSlice(const std::string& name, uint32_t lease_s) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Slice* found, findSlice(name));
    if (found->deleting) return failedPrecondition("slice '" + name + "' is being deleted");
    Slice slice = *found;
    slice.lease_end_us = leaseEnd(clock_.utc_us(), grantRenewal(lease_s, config_.default_lease));
    slice.suspended = false;
    Changes changes;
    changes.put_slices.push_back(slice);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    return viewSlice(world(), slice);
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
    if (slice->deleting) return failedPrecondition("slice '" + slice->name + "' is being deleted");
    if (sliver.moving()) {
        return aborted("sliver " + sliver.id.toString() + " moves to node '" + sliver.move.target + "' already");
    }
    if (sliver.frozen) return failedPrecondition("sliver " + sliver.id.toString() + " is frozen: thaw it first");
    if (sliver.node == to_node) {
        return failedPrecondition("sliver " + sliver.id.toString() + " is on node '" + to_node + "' already");
    }
    if (const std::string away = nodes_.notReady(sliver.node, clock_.monotonic()); !away.empty()) {
        return failedPrecondition("node '" + sliver.node + "', which it is on, is not ready: " + away);
    }
    const PlacementRequest where{.nodes = {to_node},
                                 .rules = slice->rules,
                                 .cpu_reservation_millis = slice->base.resources.cpu_reservation_millis};
    return place(where, candidates(world())).status();
}

}  // namespace homeslice::controller
