#include "controller/core/controller.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/addresses/addresses.h"
#include "controller/core/audit.h"
#include "controller/core/differences.h"
#include "controller/core/own_entry.h"
#include "controller/core/picture.h"
#include "controller/core/settle.h"
#include "controller/leases/leases.h"
#include "controller/moves/move.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {

Clock systemClock() {
    return {[] { return Monotonic::now(); }, [] { return toUnixMicros(Utc::now()); }};
}

Controller::Controller(const Config& config, Store& store, ImageFiles& images, Clock clock, Snapshot snapshot)
    : config_(config),
      store_(store),
      image_files_(images),
      clock_(std::move(clock)),
      snapshot_(std::move(snapshot)),
      feed_(snapshot_.revision, config.changes_kept),
      nodes_(config.node_timeout, clock_.monotonic()),
      known_nodes_(snapshot_),
      known_names_(std::max<uint64_t>(snapshot_.revision, 1)) {}

absl::StatusOr<std::unique_ptr<Controller>> Controller::open(const Config& config, Store& store, ImageFiles& images,
                                                             Clock clock) {
    HS_RETURN_IF_ERROR(checkHomePrefix(config.home_prefix));
    HS_ASSIGN_OR_RETURN_CTX(Snapshot snapshot, store.load(), "load the state");
    const std::string prefix = config.home_prefix.toString();
    if (!snapshot.home_prefix.empty() && snapshot.home_prefix != prefix) {
        return failedPrecondition("the state was made for home prefix " + snapshot.home_prefix + ", not " + prefix);
    }
    const bool fresh = snapshot.home_prefix.empty();
    std::unique_ptr<Controller> controller(
        new Controller(config, store, images, std::move(clock), std::move(snapshot)));
    const std::lock_guard lock(controller->mutex_);
    controller->keys_were_delivered_ =
        std::any_of(controller->snapshot_.slivers.begin(), controller->snapshot_.slivers.end(),
                    [](const auto& entry) { return !entry.second.keys_mark.empty(); });
    if (fresh) {
        Changes changes;
        changes.home_prefix = prefix;
        HS_RETURN_IF_ERROR(controller->commit(std::move(changes)));
    }
    HS_RETURN_IF_ERROR(controller->endInterruptedImports());
    controller->unsettled_ = unsettledByStart(controller->world());
    controller->collectImages();
    return controller;
}

World Controller::world() const {
    return {.snapshot = snapshot_,
            .index = index_,
            .nodes = nodes_,
            .home_prefix = config_.home_prefix,
            .domain = config_.domain,
            .grace = config_.grace,
            .now = clock_.monotonic(),
            .now_us = clock_.utc_us(),
            .replace_after = config_.replace_after,
            .import_bytes = import_bytes_};
}

absl::Status Controller::commit(Changes changes) {
    if (!changes.put_operations.empty()) {
        for (std::string& id : toForget(snapshot_.operations)) changes.erase_operations.push_back(std::move(id));
    }
    if (const AuditEntry* entry = AuditScope::take()) {
        changes.audit = *entry;
        changes.audit->time_us = clock_.utc_us();
    }
    HS_RETURN_IF_ERROR(store_.apply(changes));
    logMoves(changes);
    const Differences differences(world(), changes);
    feed_.record(snapshot_, changes);
    index_.apply(changes);
    const Differences::Found found = differences.in(world());
    for (const auto& [node, id] : found.holdings) nodes_.ask(node, id, snapshot_.revision);
    for (const std::string& node : found.nodes) known_nodes_.note(node, snapshot_.revision);
    for (const std::string& slice : found.slices) known_names_.note(slice, snapshot_.revision);
    unsettled_.add(unsettledBy(changes, world()));
    if (!changes.put_images.empty() || !changes.erase_images.empty() || !changes.erase_slices.empty()) collectImages();
    tellNodes();
    return absl::OkStatus();
}

void Controller::settleAll(Telling telling) {
    while (!unsettled_.empty()) {
        Unsettled unsettled = std::exchange(unsettled_, {});
        to_tell_.insert(unsettled.operations.begin(), unsettled.operations.end());
        Changes changes = settle(world(), unsettled, awaited_);
        if (changes.empty()) continue;
        if (const absl::Status stored = commit(std::move(changes)); !stored.ok()) {
            logError("what the nodes report cannot be stored: {}", messageOf(stored));
            unsettled_.add(std::move(unsettled));  // for the next call
            break;
        }
    }
    tellWatchers(telling);
}

void Controller::collectImages() {
    std::set<std::string> used;
    for (const auto& [name, image] : snapshot_.images) used.insert(image.digest);
    for (const auto& [name, slice] : snapshot_.slices) used.insert(slice.base.image_digest);
    image_files_.keepOnly(used);
}

void Controller::logMoves(const Changes& changes) const {
    for (const Sliver& next : changes.put_slivers) {
        const auto before = snapshot_.slivers.find(next.id);
        if (before == snapshot_.slivers.end() || before->second.move.phase == next.move.phase) continue;
        logInfo("sliver {}: move {} -> {}, on node {} with generation {}", next.id.toString(),
                toString(before->second.move.phase), toString(next.move.phase), next.node, next.generation);
    }
}

void Controller::tick() {
    const std::lock_guard lock(mutex_);
    endLeases();
    endPromises();
    placeLostAnew();
    rebalanceByPolicy();
    storeLastSeen();
    unsettled_.add(unsettledByTime(world()));
    settleAll(Telling::with_tick);
    noteTime();
    spreadByTick();
}

void Controller::endLeases() {
    std::vector<Slice> ending;
    for (const auto& [name, slice] : snapshot_.slices) {
        const bool active = leaseState(slice, config_.grace, clock_.utc_us()) == LeaseState::active;
        if (active) warned_.erase(name);
        if (!active && !slice.deleting) ending.push_back(slice);
    }
    for (const Slice& slice : ending) endLease(slice);
}

void Controller::endLease(const Slice& slice) {
    const std::string end = formatUtc(fromUnixMicros(slice.lease_end_us));
    absl::Status stored;
    switch (leaseState(slice, config_.grace, clock_.utc_us())) {
        case LeaseState::active:
            return;
        case LeaseState::ending:
            if (warned_.insert(slice.name).second) {
                logWarning("slice {}: the lease ends at {}", slice.name, end);
                recordEvent("LeaseEnding", slice.name, "the lease ends at " + end);
                feed_.note({ChangeKind::lease, slice.name, 0}, snapshot_.revision);
            }
            return;
        case LeaseState::over: {
            if (slice.suspended) return;
            logWarning("slice {}: the lease ended at {}, its slivers stand still until it is renewed", slice.name, end);
            Changes changes;
            changes.put_slices.push_back(slice);
            changes.put_slices.back().suspended = true;
            changes.audit = ownEntry(clock_.utc_us(), "SuspendSlice", slice.name, "the lease ended at " + end);
            stored = commit(std::move(changes));
            break;
        }
        case LeaseState::past_grace: {
            logWarning("slice {}: the lease ended at {}, deleting it", slice.name, end);
            Changes changes = planDeletion(slice, "");
            changes.audit = ownEntry(clock_.utc_us(), "DeleteSlice", slice.name, "the lease ended at " + end);
            stored = commit(std::move(changes));
            break;
        }
    }
    if (!stored.ok()) logError("slice {}: {}", slice.name, messageOf(stored));
}

}  // namespace homeslice::controller
