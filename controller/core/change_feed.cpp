#include "controller/core/change_feed.h"

#include <algorithm>
#include <utility>

#include "base/reason.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

std::shared_ptr<const Audience> audienceOf(const Slice& slice) {
    return std::make_shared<const Audience>(Audience{slice.owner, slice.members});
}

std::shared_ptr<const Audience> audienceOf(const Snapshot& snapshot, const std::string& slice) {
    const auto found = snapshot.slices.find(slice);
    return found == snapshot.slices.end() ? nullptr : audienceOf(found->second);
}

ChangedThing sliverThing(const SliverId& id) { return {ChangeKind::sliver, id.slice, id.index}; }

}  // namespace

void ChangeFeed::record(const Snapshot& before, const Changes& changes) {
    const uint64_t revision = before.revision + 1;
    for (const Node& node : changes.put_nodes) add({revision, true, {ChangeKind::node, node.name}});
    for (const Slice& slice : changes.put_slices) addSlice(before, slice, revision);
    for (const Sliver& sliver : changes.put_slivers) add({revision, true, sliverThing(sliver.id)});
    for (const Operation& each : changes.put_operations) add({revision, true, {ChangeKind::operation, each.id}});
    for (const SliverId& id : changes.erase_slivers) {
        const auto audience = audienceOf(before, id.slice);
        add({revision, true, sliverThing(id), true, audience});
    }
    for (const std::string& name : changes.erase_slices) {
        const auto audience = audienceOf(before, name);
        add({revision, true, {ChangeKind::slice, name}, true, audience});
        touched_slices_.erase(name);
    }
    for (const std::string& id : changes.erase_operations) {
        const auto found = before.operations.find(id);
        const std::string slice = found == before.operations.end() ? "" : found->second.subject.slice;
        const auto audience = audienceOf(before, slice);
        add({revision, true, {ChangeKind::operation, id}, true, audience});
    }
    wake();
}

// Its slivers change with it when others may see them, or when they are to go.
void ChangeFeed::addSlice(const Snapshot& before, const Slice& slice, uint64_t revision) {
    const auto found = before.slices.find(slice.name);
    const bool known = found != before.slices.end();
    const bool reshared = known && (found->second.members != slice.members || found->second.owner != slice.owner);
    const auto audience = reshared ? audienceOf(found->second) : nullptr;
    add({revision, true, {ChangeKind::slice, slice.name}, reshared, audience});
    if (!reshared && !(known && found->second.deleting != slice.deleting)) return;
    for (auto it = before.slivers.lower_bound({slice.name, 0});
         it != before.slivers.end() && it->first.slice == slice.name; ++it) {
        add({revision, true, sliverThing(it->first), reshared, audience});
    }
}

void ChangeFeed::note(const ChangedThing& thing, uint64_t revision) {
    add({revision, false, thing});
    wake();
}

void ChangeFeed::noteSlices(uint64_t revision) {
    if (touched_slices_.empty()) return;
    for (const std::string& name : std::exchange(touched_slices_, {})) {
        add({revision, false, {ChangeKind::slice, name}});
    }
    wake();
}

absl::StatusOr<uint64_t> ChangeFeed::after(uint64_t revision, uint64_t now) const {
    if (revision < told_from_ || revision > now) {
        const std::string oldest = std::to_string(told_from_);
        return because(absl::OutOfRangeError("revision " + std::to_string(revision) + " is not kept, " + oldest +
                                             " is the oldest: ask for the whole anew"),
                       reason::kRevisionGone, {{"oldest", oldest}, {"newest", std::to_string(now)}});
    }
    const auto unheard = std::partition_point(records_.begin(), records_.end(), [revision](const ChangeRecord& each) {
        return each.revision < revision || (each.revision == revision && each.stored);
    });
    return first_ + static_cast<uint64_t>(unheard - records_.begin());
}

void ChangeFeed::add(ChangeRecord record) {
    if (record.thing.kind == ChangeKind::sliver) touched_slices_.insert(record.thing.name);
    records_.push_back(std::move(record));
    if (records_.size() <= kept_) return;
    const ChangeRecord& oldest = records_.front();
    told_from_ = std::max(told_from_, oldest.revision + (oldest.stored ? 0 : 1));
    records_.pop_front();
    ++first_;
}

void ChangeFeed::wake() const {
    if (wake_) wake_();
}

}  // namespace homeslice::controller
