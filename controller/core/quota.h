// What a user's slices use, and whether more would be too much. Pure.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>

#include "controller/model/model.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// Of the caps, not of what is in use at the moment.
struct Usage {
    uint64_t slivers = 0;
    uint64_t cpu_millis = 0;
    uint64_t memory_bytes = 0;
    uint64_t disk_bytes = 0;
};

// By all slices that the user owns, but those that are being deleted.
Usage usageOf(const Snapshot& snapshot, const std::string& user);

// Whether the owner may have `slivers` with these limits in a new slice. Users whom the controller does not know have
// no quota. RESOURCE_EXHAUSTED says what is used and what is left; FAILED_PRECONDITION when a limit is missing that has
// to count.
absl::Status checkQuota(const Snapshot& snapshot, const std::string& owner, uint64_t slivers, const Resources& each);

// Whether the limits of a slice's slivers may become these. What stays as it is or shrinks is always fine: a quota that
// was lowered takes nothing away.
absl::Status checkQuota(const Snapshot& snapshot, const Slice& slice, const Resources& next);

}  // namespace homeslice::controller
