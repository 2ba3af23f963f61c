#include "controller/core/index.h"

#include <algorithm>

namespace homeslice::controller {
namespace {

const SliverSet kNoSlivers;
const std::set<std::string> kNoOperations;

// Where it is, or is about to be.
const std::string& placeOf(const Sliver& sliver) { return sliver.moving() ? sliver.move.target : sliver.node; }

template <typename Map, typename Key, typename Value>
const Value& findOr(const Map& map, const Key& key, const Value& none) {
    const auto found = map.find(key);
    return found == map.end() ? none : found->second;
}

void addUnlessThere(std::vector<const std::string*>& nodes, const std::string& node) {
    const auto same = [&node](const std::string* other) { return *other == node; };
    if (!node.empty() && std::none_of(nodes.begin(), nodes.end(), same)) nodes.push_back(&node);
}

}  // namespace

std::vector<const std::string*> nodesOf(const Sliver& sliver) {
    std::vector<const std::string*> nodes;
    addUnlessThere(nodes, sliver.node);
    addUnlessThere(nodes, sliver.move.source);
    addUnlessThere(nodes, sliver.move.target);
    for (const std::string& holder : sliver.holders) addUnlessThere(nodes, holder);
    return nodes;
}

Index::Index(Snapshot& snapshot) : snapshot_(snapshot) {
    for (const auto& [name, slice] : snapshot.slices) numbers_.insert(slice.number);
    for (const auto& [name, node] : snapshot.nodes) {
        nodes_[name];
        if (node.home_agent) home_agents_.insert(name);
    }
    for (const auto& [name, node] : snapshot.enrolled_nodes) {
        if (node.was_home_agent) former_home_agents_.insert(name);
    }
    for (const auto& [id, sliver] : snapshot.slivers) add(sliver);
    for (const auto& [id, operation] : snapshot.operations) add(operation);
}

// A slice's guarantee is in the sums of all its slivers.
std::vector<const Sliver*> Index::rowsIn(const Changes& changes) const {
    std::set<const Sliver*> rows;
    const auto addRow = [&](const SliverId& id) {
        const auto row = snapshot_.slivers.find(id);
        if (row != snapshot_.slivers.end()) rows.insert(&row->second);
    };
    for (const Sliver& sliver : changes.put_slivers) addRow(sliver.id);
    for (const SliverId& id : changes.erase_slivers) addRow(id);
    const auto addAll = [&](const std::string& slice) {
        auto row = snapshot_.slivers.lower_bound({slice, 0});
        for (; row != snapshot_.slivers.end() && row->first.slice == slice; ++row) rows.insert(&row->second);
    };
    for (const Slice& slice : changes.put_slices) {
        const auto before = snapshot_.slices.find(slice.name);
        const bool same = before != snapshot_.slices.end() && before->second.base.resources == slice.base.resources;
        if (!same) addAll(slice.name);
    }
    for (const std::string& slice : changes.erase_slices) addAll(slice);
    return {rows.begin(), rows.end()};
}

void Index::apply(const Changes& changes) {
    const std::vector<const Sliver*> rows = rowsIn(changes);
    for (const Sliver* row : rows) remove(*row);
    for (const Slice& slice : changes.put_slices) {
        const auto before = snapshot_.slices.find(slice.name);
        if (before != snapshot_.slices.end()) numbers_.erase(before->second.number);
    }
    for (const std::string& name : changes.erase_slices) {
        const auto before = snapshot_.slices.find(name);
        if (before != snapshot_.slices.end()) numbers_.erase(before->second.number);
    }
    const auto removeOperation = [this](const std::string& id) {
        const auto before = snapshot_.operations.find(id);
        if (before != snapshot_.operations.end()) remove(before->second);
    };
    for (const Operation& operation : changes.put_operations) removeOperation(operation.id);
    for (const std::string& id : changes.erase_operations) removeOperation(id);

    std::vector<SliverId> again;
    for (const Sliver* row : rows) again.push_back(row->id);
    for (const Sliver& sliver : changes.put_slivers) {
        if (!snapshot_.slivers.contains(sliver.id)) again.push_back(sliver.id);
    }
    std::sort(again.begin(), again.end());
    again.erase(std::unique(again.begin(), again.end()), again.end());
    applyTo(snapshot_, changes);

    for (const Node& node : changes.put_nodes) {
        nodes_[node.name];
        home_agents_.erase(node.name);
        if (node.home_agent) home_agents_.insert(node.name);
    }
    for (const EnrolledNode& node : changes.put_enrolled_nodes) {
        former_home_agents_.erase(node.name);
        if (node.was_home_agent) former_home_agents_.insert(node.name);
    }
    for (const std::string& name : changes.erase_enrolled_nodes) former_home_agents_.erase(name);
    for (const Slice& slice : changes.put_slices) {
        if (snapshot_.slices.contains(slice.name)) numbers_.insert(slice.number);
    }
    for (const SliverId& id : again) {
        const auto row = snapshot_.slivers.find(id);
        if (row != snapshot_.slivers.end()) add(row->second);
    }
    for (const Operation& operation : changes.put_operations) {
        const auto row = snapshot_.operations.find(operation.id);
        if (row != snapshot_.operations.end()) add(row->second);
    }
}

void Index::add(const Sliver& sliver) {
    for (const std::string* node : nodesOf(sliver)) nodes_[*node].slivers.insert(&sliver);
    if (sliver.moving()) moving_.insert(&sliver);
    if (!sliver.placed_by.empty()) placed_by_[sliver.placed_by].insert(&sliver);
    sizes_[sliver.id.slice] += 1;
    count(sliver, true);
}

void Index::remove(const Sliver& sliver) {
    count(sliver, false);
    for (const std::string* node : nodesOf(sliver)) {
        nodes_[*node].slivers.erase(&sliver);
    }
    moving_.erase(&sliver);
    if (const auto placed = placed_by_.find(sliver.placed_by); placed != placed_by_.end()) {
        placed->second.erase(&sliver);
        if (placed->second.empty()) placed_by_.erase(placed);
    }
    if (--sizes_[sliver.id.slice] == 0) sizes_.erase(sliver.id.slice);
}

void Index::count(const Sliver& sliver, bool in) {
    const auto slice = snapshot_.slices.find(sliver.id.slice);
    if (slice == snapshot_.slices.end()) return;
    const uint64_t millis = slice->second.base.resources.cpu_reservation_millis;
    std::vector<const std::string*> ends;
    addUnlessThere(ends, sliver.node);
    addUnlessThere(ends, sliver.move.source);
    addUnlessThere(ends, sliver.move.target);
    for (const std::string* node : ends) {
        Use& use = nodes_[*node].use;
        const uint32_t slivers = *node == placeOf(sliver) ? 1 : 0;
        use.slivers = in ? use.slivers + slivers : use.slivers - slivers;
        use.reserved_millis = in ? use.reserved_millis + millis : use.reserved_millis - millis;
    }
}

void Index::add(const Operation& operation) {
    if (!operation.request_id.empty()) request_ids_[operation.request_id] = operation.id;
    if (operation.ended()) return;
    running_[operation.kind].insert(operation.id);
    if (!operation.subject.slice.empty()) running_about_[operation.subject.slice].insert(operation.id);
}

void Index::remove(const Operation& operation) {
    if (!operation.request_id.empty()) request_ids_.erase(operation.request_id);
    if (operation.ended()) return;
    running_[operation.kind].erase(operation.id);
    const auto about = running_about_.find(operation.subject.slice);
    if (about == running_about_.end()) return;
    about->second.erase(operation.id);
    if (about->second.empty()) running_about_.erase(about);
}

const SliverSet& Index::sliversAt(const std::string& node) const {
    const auto at = nodes_.find(node);
    return at == nodes_.end() ? kNoSlivers : at->second.slivers;
}

const std::vector<Index::NodeUse>& Index::uses() const {
    if (uses_.size() == snapshot_.nodes.size()) return uses_;
    uses_.clear();
    for (const auto& [name, node] : snapshot_.nodes) uses_.push_back({&node, &nodes_.at(name).use});
    return uses_;
}

const SliverSet& Index::placedBy(const std::string& operation) const {
    return findOr(placed_by_, operation, kNoSlivers);
}

uint32_t Index::sliversOf(const std::string& slice) const { return findOr(sizes_, slice, 0U); }

const std::set<std::string>& Index::running(OperationKind kind) const { return findOr(running_, kind, kNoOperations); }

const std::set<std::string>& Index::runningAbout(const std::string& slice) const {
    return findOr(running_about_, slice, kNoOperations);
}

const Operation* Index::requested(const std::string& request_id) const {
    const auto id = request_ids_.find(request_id);
    return id == request_ids_.end() ? nullptr : &snapshot_.operations.at(id->second);
}

}  // namespace homeslice::controller
