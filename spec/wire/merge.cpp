#include "spec/wire/merge.h"

#include <string>
#include <unordered_set>
#include <utility>

#include "base/status.h"

namespace homeslice::wire {
namespace {

std::string keyOf(const v1::SliverId& id) { return id.slice() + "/" + std::to_string(id.index()); }
std::string keyOf(const v1::DesiredSliver& sliver) { return keyOf(sliver.sliver()); }
std::string keyOf(const v1::EnrolledNode& node) { return node.name(); }
std::string keyOf(const v1::SliceNames& names) { return names.slice(); }
std::string keyOf(const std::string& name) { return name; }

template <typename List>
std::unordered_set<std::string> keysOf(const List& list) {
    std::unordered_set<std::string> keys;
    for (const auto& item : list) keys.insert(keyOf(item));
    return keys;
}

template <typename List>
void eraseKeys(List& list, const std::unordered_set<std::string>& keys) {
    if (keys.empty()) return;
    int kept = 0;
    for (int i = 0; i < list.size(); ++i) {
        if (keys.contains(keyOf(list.Get(i)))) continue;
        if (i != kept) list.SwapElements(i, kept);
        ++kept;
    }
    list.DeleteSubrange(kept, list.size() - kept);
}

template <typename List>
void appendAll(List& list, List& more) {
    for (auto& item : more) *list.Add() = std::move(item);
}

// Items of `list` and keys of what is gone from it, both with those of a later change. `is_change`: `list` is one too,
// and has to say itself what is gone.
template <typename List, typename Gone>
void mergeLists(List& list, Gone& gone, List& later, Gone& later_gone, bool is_change) {
    const auto put = keysOf(later);
    const auto erased = keysOf(later_gone);
    eraseKeys(list, put);
    eraseKeys(list, erased);
    appendAll(list, later);
    eraseKeys(gone, put);
    eraseKeys(gone, erased);
    if (is_change) appendAll(gone, later_gone);
}

}  // namespace

void merge(v1::DesiredState& base, v1::DesiredState change) {
    if (change.since() == 0) {
        base = std::move(change);
        return;
    }
    const bool is_change = base.since() != 0;
    mergeLists(*base.mutable_slivers(), *base.mutable_gone(), *change.mutable_slivers(), *change.mutable_gone(),
               is_change);
    appendAll(*base.mutable_node_lists(), *change.mutable_node_lists());
    base.set_revision(change.revision());
    base.mutable_home_agents()->Swap(change.mutable_home_agents());
    base.set_home_prefix(change.home_prefix());
    base.mutable_node_addresses()->Swap(change.mutable_node_addresses());
    base.set_grant_key(change.grant_key());
    base.mutable_node_grant_keys()->Swap(change.mutable_node_grant_keys());
    base.set_heartbeat_ms(change.heartbeat_ms());
}

void merge(v1::NameTable& base, v1::NameTable change) {
    if (change.since() == 0) {
        base = std::move(change);
        return;
    }
    mergeLists(*base.mutable_slices(), *base.mutable_gone(), *change.mutable_slices(), *change.mutable_gone(),
               base.since() != 0);
    base.set_serial(change.serial());
    base.set_domain(change.domain());
    base.set_home_prefix(change.home_prefix());
}

absl::Status foldNodeLists(v1::DesiredState& whole) {
    google::protobuf::RepeatedPtrField<std::string> gone;
    const auto lists = std::move(*whole.mutable_node_lists());
    whole.clear_node_lists();
    for (const std::string& encoded : lists) {
        v1::NodeList list;
        if (!list.ParseFromString(encoded)) return invalidArgument("a list of nodes cannot be read");
        mergeLists(*whole.mutable_nodes(), gone, *list.mutable_nodes(), *list.mutable_gone(), false);
    }
    return absl::OkStatus();
}

}  // namespace homeslice::wire
