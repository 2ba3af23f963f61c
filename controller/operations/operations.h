// Long-running requests. Their progress is not stored: it is derived from what should be and what the nodes say, so an
// operation in flight goes on after a restart. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/model/model.h"

namespace homeslice::controller {

inline constexpr size_t kOperationsKept = 1000;

// One sliver that an operation is about.
struct SliverProgress {
    SliverId id;
    std::string node;
    std::string node_away;  // why the node is not ready; empty when it is
    SliverState state = SliverState::pending;
    std::string reason;   // why it is in this state, or is not as asked
    bool current = true;  // the node has taken in what was last asked of it
    bool stale = false;   // it has not (yet) become so
};

Operation newOperation(OperationKind kind, const SliverId& subject, uint32_t total, const std::string& request_id,
                       int64_t now_us);

// Whether an operation of this kind still waits for the sliver: it has neither got where it is to, nor failed.
bool isWaiting(OperationKind kind, const SliverProgress& sliver);

// `operation` (a creation, a change, a freeze or a thaw) with its present progress. A creation has ended once each
// sliver runs, has run, or has failed; the others once each is as asked, by its node's own word, or cannot be.
Operation progressOf(Operation operation, const std::vector<SliverProgress>& slivers, int64_t now_us);

// `remaining`: slivers that a node may still have; `waiting_for`: those nodes. Ends when nothing remains.
Operation deletionProgress(Operation operation, uint32_t remaining, const std::set<std::string>& waiting_for,
                           int64_t now_us);

// `remaining`: slivers that are still on the node. Ends when none is, but those that failed to leave.
Operation drainProgress(Operation operation, uint32_t remaining, int64_t now_us);

// `unplaced`: slivers that still wait for another node. Ends when none does and each of `placed` has started or failed.
Operation replacementProgress(Operation operation, const std::vector<SliverProgress>& placed, uint32_t unplaced,
                              int64_t now_us);

Operation succeeded(Operation operation, const std::string& step, int64_t now_us);
Operation failed(Operation operation, const OperationFailure& failure, int64_t now_us);
// `step` says what became of its subject.
Operation markCancelled(Operation operation, const std::string& step, int64_t now_us);

// Ids of the oldest ended operations beyond the newest kOperationsKept.
std::vector<std::string> toForget(const std::map<std::string, Operation>& operations);

}  // namespace homeslice::controller
