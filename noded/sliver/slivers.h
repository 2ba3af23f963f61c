// The slivers of a node in memory, in step with the store. Threads: any; a sliver's record is changed only by the
// worker that looks after it.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "noded/sliver/manager.h"
#include "noded/sliver/record.h"
#include "noded/sliver/retry.h"

namespace homeslice::sliver {

struct Sliver {
    Record record;
    std::optional<SliverSpec> desired;  // absent: it is to go
    UniqueFd pidfd;                     // valid while its first process lives
    UniqueFd lifeline;                  // of Started; may be invalid
    Monotonic::time_point state_since = Monotonic::now();
    Monotonic::time_point stop_deadline{};  // with stopping: when patience ends
    Retry retry;                            // of what brings it to the desired state
    Retry update_retry;                     // of changes while it runs
    bool ended = false;                     // its process ended unasked; the next start is a restart
    bool unclean = false;                   // it ended, and what was made around its processes is still there
    uint32_t exports = 0;                   // readers of its disk: nothing may change
};

class Slivers {
public:
    // `changed` is called after every commit, without a lock held.
    Slivers(store::KeyValueStore& store, std::function<void()> changed)
        : records_(store), changed_(std::move(changed)) {}

    absl::StatusOr<std::vector<Record>> load() { return records_.load(); }
    // A record from the store.
    void adopt(Record record);

    // Takes the picture in; returns every sliver that there is then.
    std::vector<SliverId> setDesired(const Desired& desired);
    std::optional<uint64_t> desiredRevision() const;  // of the newest picture, if there was one

    // Calls `use` with the sliver, under the lock. False when there is none.
    bool with(const SliverId& id, const std::function<void(Sliver&)>& use);
    std::optional<Record> record(const SliverId& id) const;
    void forEach(const std::function<void(const Sliver&)>& use) const;

    // Changes a record under the lock, checks and logs the transition, then makes it durable. On a failure to write,
    // the change stays in memory, and the caller does not act on it. NOT_FOUND when there is no such sliver.
    absl::Status commit(const SliverId& id, const std::function<absl::Status(Sliver&)>& change);
    // commit() that calls nobody: for a state that the next commit() ends in a moment, and which is worth no report.
    absl::Status commitInPassing(const SliverId& id, const std::function<absl::Status(Sliver&)>& change);
    // The same in memory alone: for what leads to no act before the next commit.
    absl::Status note(const SliverId& id, const std::function<absl::Status(Sliver&)>& change);
    // Out of the store and of memory; a sliver that has come to be desired again begins anew.
    absl::Status forget(const SliverId& id);

private:
    absl::StatusOr<Record> change(const SliverId& id, const std::function<absl::Status(Sliver&)>& change);
    absl::Status save(const Record& record);

    Records records_;
    const std::function<void()> changed_;
    mutable std::mutex mutex_;
    std::map<SliverId, Sliver> slivers_;
    std::optional<uint64_t> revision_;
};

}  // namespace homeslice::sliver
