// Watching: the whole picture in pieces, then what has changed, as it is now.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/reason.h"
#include "base/status.h"
#include "controller/core/controller.h"
#include "controller/core/operation_rights.h"

namespace homeslice::controller {
namespace {

// Of one batch, which becomes one message, and of one hold of the lock.
constexpr size_t kMostWeight = 256;
constexpr size_t kFileBytesPerWeight = 4096;
constexpr uint64_t kMostRecords = 4096;

constexpr ChangeKind kPicture[] = {ChangeKind::node, ChangeKind::slice, ChangeKind::sliver, ChangeKind::operation};

// A slice's template may hold files of a mebibyte.
size_t weightOf(const WatchEvent& event) {
    size_t bytes = 0;
    if (const auto* view = std::get_if<SliceView>(&event)) {
        for (const File& file : view->slice.base.files) bytes += file.content.size();
    }
    return 1 + bytes / kFileBytesPerWeight;
}

// One watcher's view of the world.
class Eye {
public:
    Eye(const World& world, const WatchRequest& request) : world_(world), request_(request) {}

    // Nothing when it is not there, or not for this watcher.
    std::optional<WatchEvent> lookAt(const ChangedThing& thing) const {
        switch (thing.kind) {
            case ChangeKind::node:
                return node(thing.name);
            case ChangeKind::slice:
                return slice(thing.name);
            case ChangeKind::sliver:
                return sliver({thing.name, thing.index});
            case ChangeKind::operation:
                return operation(thing.name);
            case ChangeKind::lease:
                return lease(thing.name);
        }
        return std::nullopt;
    }

    bool missed(const ChangeRecord& record) const {
        if (!record.lost) return false;
        // What an operation was about is not known any more.
        const bool about_slice = record.thing.kind != ChangeKind::operation;
        if (about_slice ? !inScope(record.thing.name) : !request_.slice.empty()) return false;
        return request_.caller.role == UserRole::admin ||
               (record.audience != nullptr && record.audience->has(request_.caller.name));
    }

    // Those of the kind of `last` that come behind it, in order; calls back until that answers false.
    template <typename Tell>
    void draw(const ChangedThing& last, const Tell& tell) const {
        const ChangeKind kind = last.kind;
        const auto walk = [&](const auto& map, const auto& key, const auto& thing_of) {
            for (auto it = map.upper_bound(key); it != map.end(); ++it) {
                const ChangedThing thing = thing_of(it->first);
                if (!tell(thing, lookAt(thing))) return;
            }
        };
        const auto named = [kind](const std::string& name) { return ChangedThing{kind, name, 0}; };
        if (kind == ChangeKind::node) return walk(world_.snapshot.nodes, last.name, named);
        if (kind == ChangeKind::slice) return walk(world_.snapshot.slices, last.name, named);
        if (kind == ChangeKind::operation) return walk(world_.snapshot.operations, last.name, named);
        walk(world_.snapshot.slivers, SliverId{last.name, last.index}, [kind](const SliverId& id) {
            return ChangedThing{kind, id.slice, id.index};
        });
    }

private:
    bool inScope(const std::string& slice) const { return request_.slice.empty() || request_.slice == slice; }

    const Slice* visible(const std::string& name) const {
        const auto found = world_.snapshot.slices.find(name);
        const bool seen =
            found != world_.snapshot.slices.end() && inScope(name) && maySee(request_.caller, found->second);
        return seen ? &found->second : nullptr;
    }
    std::optional<WatchEvent> node(const std::string& name) const {
        const auto found = world_.snapshot.nodes.find(name);
        if (found == world_.snapshot.nodes.end() || !request_.slice.empty()) return std::nullopt;
        return viewNode(world_, found->second);
    }
    std::optional<WatchEvent> slice(const std::string& name) const {
        const Slice* const found = visible(name);
        if (found == nullptr) return std::nullopt;
        return viewSlice(world_, *found);
    }
    std::optional<WatchEvent> sliver(const SliverId& id) const {
        const auto found = world_.snapshot.slivers.find(id);
        if (found == world_.snapshot.slivers.end() || visible(id.slice) == nullptr) return std::nullopt;
        return viewSliver(world_, found->second);
    }
    std::optional<WatchEvent> operation(const std::string& id) const {
        const auto found = world_.snapshot.operations.find(id);
        if (found == world_.snapshot.operations.end() || !inScope(found->second.subject.slice)) return std::nullopt;
        if (!checkOperationRight(request_.caller, found->second, world_.snapshot).ok()) return std::nullopt;
        return viewOperation(world_, found->second);
    }
    std::optional<WatchEvent> lease(const std::string& name) const {
        const Slice* const found = visible(name);
        if (found == nullptr) return std::nullopt;
        return LeaseWarning{name, found->lease_end_us};
    }

    const World& world_;
    const WatchRequest& request_;
};

}  // namespace

void Controller::onChange(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    feed_.onChange(std::move(wake));
}

absl::StatusOr<WatchCursor> Controller::beginWatch(const WatchRequest& request) const {
    const std::lock_guard lock(mutex_);
    WatchCursor cursor(request);
    cursor.drawing_ = request.revision == 0;
    if (cursor.drawing_) {
        cursor.next_ = feed_.next();
    } else {
        HS_ASSIGN_OR_RETURN(cursor.next_, feed_.after(request.revision, snapshot_.revision));
    }
    return cursor;
}

absl::StatusOr<WatchBatch> Controller::continueWatch(WatchCursor& cursor) const {
    const std::lock_guard lock(mutex_);
    if (cursor.next_ < feed_.first()) {
        return because(absl::OutOfRangeError("the watch is too far behind what changes: ask for the whole anew"),
                       reason::kRevisionGone);
    }
    return cursor.drawing_ ? drawPicture(cursor) : tellChanges(cursor);
}

WatchBatch Controller::drawPicture(WatchCursor& cursor) const {
    const World now = world();
    const Eye eye(now, cursor.request());
    WatchBatch batch;
    batch.more = true;
    size_t weight = 0;
    uint64_t seen = 0;
    for (const ChangeKind kind : kPicture) {
        if (kind < cursor.drawn_.kind || !cursor.wants(kind)) continue;
        // No name is empty: this is before the first.
        if (cursor.drawn_.kind != kind) cursor.drawn_ = {kind, "", 0};
        eye.draw(ChangedThing(cursor.drawn_), [&](const ChangedThing& thing, std::optional<WatchEvent> event) {
            cursor.drawn_ = thing;
            if (event) {
                weight += weightOf(*event);
                batch.events.push_back(*std::move(event));
            }
            return weight < kMostWeight && ++seen < kMostRecords;
        });
        if (weight >= kMostWeight || seen >= kMostRecords) return batch;
    }
    cursor.drawing_ = false;
    batch.whole = true;
    batch.revision = revisionTold(cursor);
    return batch;
}

WatchBatch Controller::tellChanges(WatchCursor& cursor) const {
    const World now = world();
    const Eye eye(now, cursor.request());
    WatchBatch batch;
    std::set<ChangedThing> told;
    size_t weight = 0;
    const uint64_t end = std::min(feed_.next(), cursor.next_ + kMostRecords);
    for (; cursor.next_ < end && weight < kMostWeight; ++cursor.next_) {
        const ChangeRecord& record = feed_.at(cursor.next_);
        const bool wanted =
            record.thing.kind == ChangeKind::lease ? cursor.wants(ChangeKind::slice) : cursor.wants(record.thing.kind);
        if (!wanted || told.contains(record.thing)) continue;
        std::optional<WatchEvent> event = eye.lookAt(record.thing);
        if (!event && eye.missed(record)) event = record.thing;
        if (!event) continue;
        weight += weightOf(*event);
        batch.events.push_back(*std::move(event));
        told.insert(record.thing);
    }
    batch.more = cursor.next_ < feed_.next();
    batch.revision = revisionTold(cursor);
    return batch;
}

// Of a revision that is told in part only the one before counts; what is not stored is told again.
uint64_t Controller::revisionTold(const WatchCursor& cursor) const {
    if (cursor.next_ == feed_.next()) return snapshot_.revision;
    const ChangeRecord& untold = feed_.at(cursor.next_);
    return untold.stored ? untold.revision - 1 : untold.revision;
}

void Controller::noteNews(const NodeTable::News& news) {
    for (const SliverId& id : news.shown) {
        // A node may say what it likes.
        if (!snapshot_.slivers.contains(id)) continue;
        feed_.note({ChangeKind::sliver, id.slice, id.index}, snapshot_.revision);
    }
}

// Time alone makes a silent node one that is away, and its slivers with it.
void Controller::noteTime() {
    const Monotonic::time_point now = clock_.monotonic();
    for (const auto& [name, node] : snapshot_.nodes) {
        const bool ready = nodes_.notReady(name, now).empty();
        if (const auto known = ready_nodes_.find(name); known == ready_nodes_.end() || known->second == ready) {
            ready_nodes_[name] = ready;
            continue;
        }
        ready_nodes_[name] = ready;
        feed_.note({ChangeKind::node, name, 0}, snapshot_.revision);
        for (const SliverId& id : nodes_.reported(name)) {
            feed_.note({ChangeKind::sliver, id.slice, id.index}, snapshot_.revision);
        }
    }
    feed_.noteSlices(snapshot_.revision);
}

}  // namespace homeslice::controller
