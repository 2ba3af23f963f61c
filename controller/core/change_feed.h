// What has changed of late, for those who watch: which things, at which revision of the store, but not how; a watcher
// is told how they are when it gets there. So a change costs the same however many watch, and a slow watcher costs
// nothing but its place in the history, which is bounded. Threads: none of its own, the core's lock covers it.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "controller/store/store.h"

namespace homeslice::controller {

inline constexpr size_t kChangesKept = 100'000;

// `lease` is a warning about a slice's.
enum class ChangeKind { node, slice, sliver, operation, lease };

struct ChangedThing {
    ChangeKind kind = ChangeKind::node;
    std::string name;    // of a sliver: its slice
    uint32_t index = 0;  // of a sliver

    auto operator<=>(const ChangedThing&) const = default;
};

// Who could see a slice, beside the administrators.
struct Audience {
    std::string owner;
    std::set<std::string> members;

    bool has(const std::string& user) const { return user == owner || members.contains(user); }
};

struct ChangeRecord {
    uint64_t revision = 0;  // that made the change; of what is not stored: the one of the time
    bool stored = false;
    ChangedThing thing;
    bool lost = false;                           // for its audience: erased, or not shared any more
    std::shared_ptr<const Audience> audience{};  // of what is lost; null: administrators alone
};

class ChangeFeed {
public:
    // `revision`: the store's now, before which nothing is known.
    explicit ChangeFeed(uint64_t revision, size_t kept = kChangesKept) : kept_(kept), told_from_(revision) {}

    // Called after each change; must not block nor call back. Null: nobody.
    void onChange(std::function<void()> wake) { wake_ = std::move(wake); }

    // What is about to be made of `before`.
    void record(const Snapshot& before, const Changes& changes);
    // What nodes say, time does: nothing that is stored. Slices whose slivers changed are noted by noteSlices() only,
    // once each.
    void note(const ChangedThing& thing, uint64_t revision);
    void noteSlices(uint64_t revision);

    // Records are numbered; [first(), next()) are kept.
    uint64_t first() const { return first_; }
    uint64_t next() const { return first_ + records_.size(); }
    const ChangeRecord& at(uint64_t number) const { return records_[number - first_]; }

    // The first record of what somebody has not heard of who knows all up to `revision`. OUT_OF_RANGE, REVISION_GONE
    // when that is not kept, or is of a future that never was; `now` is the store's revision.
    absl::StatusOr<uint64_t> after(uint64_t revision, uint64_t now) const;

private:
    void add(ChangeRecord record);
    void addSlice(const Snapshot& before, const Slice& slice, uint64_t revision);
    void wake() const;

    const size_t kept_;
    uint64_t told_from_;  // whoever knows this revision can still be told of all that came after it
    uint64_t first_ = 0;
    std::deque<ChangeRecord> records_;
    std::set<std::string> touched_slices_;
    std::function<void()> wake_;
};

}  // namespace homeslice::controller
