#include "controller/core/views.h"

#include <algorithm>
#include <set>

#include "controller/addresses/addresses.h"
#include "controller/core/rebalance.h"
#include "controller/core/replace.h"
#include "controller/leases/leases.h"
#include "controller/moves/move.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

bool isDeleting(const Snapshot& snapshot, const SliverId& id) {
    const auto slice = snapshot.slices.find(id.slice);
    return slice == snapshot.slices.end() || slice->second.deleting;
}

// What its node said last of this stay there; null: nothing yet, only of an earlier one.
const SliverReport* reportOfStay(const World& world, const Sliver& sliver) {
    const SliverReport* const report = world.nodes.lastReport(sliver.node, sliver.id);
    return report != nullptr && report->generation == sliver.generation ? report : nullptr;
}

void addReport(SliverView& view, const SliverReport& report) {
    view.state = report.state;
    view.reason = report.reason;
    view.exit_status = report.exit_status;
    view.running_since_us = report.running_since_us;
    view.memory_bytes = report.memory_bytes;
    view.health = report.health;
    view.restarts = report.restarts;
}

SliverProgress arrivalOf(const World& world, const Sliver& sliver) {
    const SliverView view = viewSliver(world, sliver);
    return {.id = sliver.id,
            .node = sliver.node,
            .node_away = world.nodes.notReady(sliver.node, world.now),
            .state = view.state,
            .reason = view.reason};
}

// By the nodes' word on what was asked of them last only.
SliverProgress changeOf(const World& world, const Sliver& sliver) {
    SliverProgress progress;
    progress.id = sliver.id;
    progress.node = sliver.node;
    progress.node_away = world.nodes.notReady(sliver.node, world.now);
    progress.state = viewSliver(world, sliver).state;
    const SliverReport* report = world.nodes.currentReport(sliver.node, sliver.id);
    progress.current = report != nullptr && report->generation == sliver.generation;
    if (!progress.current) return progress;
    progress.reason = report->reason;
    progress.stale = report->stale;
    return progress;
}

SliverProgress sliverProgress(const World& world, const Operation& operation, const Sliver& sliver) {
    return operation.kind == OperationKind::createSlice ? arrivalOf(world, sliver) : changeOf(world, sliver);
}

// Of what is about a slice, or one of its slivers.
Operation viewProgress(const World& world, const Operation& operation) {
    const SliverId& subject = operation.subject;
    std::vector<SliverProgress> progress;
    for (const Sliver* sliver : sliversOf(world.snapshot, subject.slice)) {
        if (subject.index == 0 || subject == sliver->id) progress.push_back(sliverProgress(world, operation, *sliver));
    }
    return progressOf(operation, progress, world.now_us);
}

Operation viewDeletion(const World& world, const Operation& operation) {
    std::set<std::string> waiting_for;
    const std::vector<const Sliver*> slivers = sliversOf(world.snapshot, operation.subject.slice);
    for (const Sliver* sliver : slivers) {
        for (const std::string& node : sliver->holders) {
            const std::string away = world.nodes.notReady(node, world.now);
            waiting_for.insert(away.empty() ? node : node + " (" + away + ")");
        }
    }
    return deletionProgress(operation, static_cast<uint32_t>(slivers.size()), waiting_for, world.now_us);
}

Operation viewMove(const World& world, Operation operation) {
    const auto sliver = world.snapshot.slivers.find(operation.subject);
    if (sliver != world.snapshot.slivers.end()) operation.step = stepText(sliver->second);
    return operation;
}

// Slivers that the operation has to get away from its node.
Operation viewDrain(const World& world, const Operation& operation) {
    const SliverSet& slivers = world.index.sliversAt(operation.node);
    const auto remaining =
        static_cast<uint32_t>(std::count_if(slivers.begin(), slivers.end(), [&](const Sliver* sliver) {
            return sliver->node == operation.node && !isDeleting(world.snapshot, sliver->id);
        }));
    return drainProgress(operation, remaining, world.now_us);
}

Operation viewImport(const World& world, Operation operation) {
    const auto bytes = world.import_bytes.find(operation.id);
    operation.step = std::to_string(bytes == world.import_bytes.end() ? 0 : bytes->second) + " bytes have come";
    return operation;
}

}  // namespace

std::vector<const Sliver*> sliversOf(const Snapshot& snapshot, const std::string& slice) {
    std::vector<const Sliver*> slivers;
    for (auto it = snapshot.slivers.lower_bound({slice, 0}); it != snapshot.slivers.end() && it->first.slice == slice;
         ++it) {
        slivers.push_back(&it->second);
    }
    return slivers;
}

uint32_t slicesUsing(const Snapshot& snapshot, const std::string& digest) {
    return static_cast<uint32_t>(
        std::count_if(snapshot.slices.begin(), snapshot.slices.end(),
                      [&digest](const auto& entry) { return entry.second.base.image_digest == digest; }));
}

NodeView viewNode(const World& world, const Node& node) {
    NodeView view{node, world.nodes.notReady(node.name, world.now), 0, 0, world.nodes.refusals(node.name)};
    for (const Sliver* sliver : world.index.sliversAt(node.name)) {
        if (sliver->node != node.name) continue;
        view.slivers += 1;
        const auto slice = world.snapshot.slices.find(sliver->id.slice);
        if (slice == world.snapshot.slices.end()) continue;
        view.cpu_reserved_millis += slice->second.base.resources.cpu_reservation_millis;
    }
    return view;
}

ImageView viewImage(const World& world, const Image& image) {
    return {image, slicesUsing(world.snapshot, image.digest)};
}

SliceView viewSlice(const World& world, const Slice& slice) {
    SliceView view;
    view.slice = slice;
    view.prefix = slicePrefix(world.home_prefix, slice.number);
    view.address = sliceAddress(world.home_prefix, slice.number);
    view.delete_us = deletionTime(slice, world.grace);
    for (const Sliver* sliver : sliversOf(world.snapshot, slice.name)) {
        view.slivers += 1;
        const SliverReport* const report = reportOfStay(world, *sliver);
        const bool running = !slice.deleting && report != nullptr && report->state == SliverState::running;
        if (running && world.nodes.notReady(sliver->node, world.now).empty()) view.running += 1;
    }
    return view;
}

SliverView viewSliver(const World& world, const Sliver& sliver) {
    SliverView view;
    view.id = sliver.id;
    view.node = sliver.moving() ? sliver.move.target : sliver.node;
    view.moving_from = sliver.move.source;
    view.generation = sliver.generation;
    view.frozen = sliver.frozen;
    view.weight = sliver.weight;
    view.draining = sliver.draining;
    const auto slice = world.snapshot.slices.find(sliver.id.slice);
    if (slice != world.snapshot.slices.end()) {
        view.home_address = sliverAddress(world.home_prefix, slice->second.number, sliver.id.index);
    }
    if (const SliverReport* report = reportOfStay(world, sliver)) addReport(view, *report);
    if (isDeleting(world.snapshot, sliver.id)) view.state = SliverState::deleting;
    const std::string away = world.nodes.notReady(sliver.node, world.now);
    if (!away.empty()) view.reason = "node " + sliver.node + " is away: " + away;
    return view;
}

Operation progressNow(const World& world, const Operation& operation) {
    if (operation.ended()) return operation;
    switch (operation.kind) {
        case OperationKind::createSlice:
        case OperationKind::setSlice:
        case OperationKind::freeze:
        case OperationKind::thaw:
            return viewProgress(world, operation);
        case OperationKind::deleteSlice:
            return viewDeletion(world, operation);
        case OperationKind::moveSliver:
            return viewMove(world, operation);
        case OperationKind::drainNode:
            return viewDrain(world, operation);
        case OperationKind::replaceSlivers:
            return viewReplacement(world, operation);
        case OperationKind::rebalance:
            return viewRebalance(world, operation);
        case OperationKind::importImage:
            return viewImport(world, operation);
    }
    return operation;
}

Operation viewOperation(const World& world, const Operation& operation) {
    Operation now = progressNow(world, operation);
    const bool is_done = operation.kind == OperationKind::deleteSlice && !operation.ended() && now.ended();
    if (!is_done || !world.snapshot.slices.contains(operation.subject.slice)) return now;
    // Its slivers are gone; that the slice is, is yet to be stored.
    now.state = operation.state;
    now.step = "removing the slice";
    now.ended_us = 0;
    return now;
}

bool isAwaited(const World& world, const Operation& operation, const Sliver& sliver) {
    return isWaiting(operation.kind, sliverProgress(world, operation, sliver));
}

namespace {

// Without slices.
std::vector<Candidate> bareCandidates(const World& world) {
    std::vector<Candidate> list;
    list.reserve(world.snapshot.nodes.size());
    NodeTable::InOrder live(world.nodes);
    for (const auto& [row, use] : world.index.uses()) {
        const Node& node = *row;
        std::string away = live.notReady(node.name, world.now);
        list.push_back({.name = node.name,
                        .ready = away.empty(),
                        .reason = std::move(away),
                        .home_agent = node.home_agent,
                        .correspondent = node.correspondent,
                        .cordoned = node.cordoned,
                        .slivers = use->slivers,
                        .cpu_millis = node.cpus * 1000,
                        .reserved_millis = static_cast<uint32_t>(use->reserved_millis),
                        .labels = node.labels});
    }
    return list;
}

// Candidates are in the order of their names.
void addSlice(std::vector<Candidate>& nodes, const std::string& node, const std::string& slice) {
    const auto found =
        std::lower_bound(nodes.begin(), nodes.end(), node,
                         [](const Candidate& each, const std::string& name) { return each.name < name; });
    if (found == nodes.end() || found->name != node) return;
    if (found->slices.empty() || found->slices.back() != slice) found->slices.push_back(slice);
}

void addSliceOf(std::vector<Candidate>& nodes, const Sliver& sliver) {
    for (const std::string* node : {&sliver.node, &sliver.move.source, &sliver.move.target}) {
        addSlice(nodes, *node, sliver.id.slice);
    }
}

}  // namespace

std::vector<Candidate> candidates(const World& world, const std::vector<std::string>& apart_from) {
    std::vector<Candidate> nodes = bareCandidates(world);
    for (const std::string& slice : apart_from) {
        if (!world.snapshot.slices.contains(slice)) continue;
        for (const Sliver* sliver : sliversOf(world.snapshot, slice)) addSliceOf(nodes, *sliver);
    }
    return nodes;
}

std::vector<Candidate> candidates(const World& world) {
    std::vector<std::string> all;
    for (const auto& [name, slice] : world.snapshot.slices) all.push_back(name);
    return candidates(world, all);
}

}  // namespace homeslice::controller
