// Host user and group ids for slivers: ranges of 65536, each held by one sliver at a time. What is held is remembered
// by the slivers' records, not here. Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <mutex>
#include <vector>

#include "noded/launcher/client.h"
#include "spec/sliver_id.h"

namespace homeslice::isolation {

inline constexpr uint32_t kIdRangeSize = 65536;

// What an environment that is made ahead, with these ids, is called as long as it is nobody's; the group of the sliver
// that gets it keeps that name. No slice has such a name, and no other environment while the ids are held.
SliverId nameAhead(const launcher::IdRange& ids);

class IdPool {
public:
    // `ranges` ranges from `first_id` on; those past the end of the 32-bit id space are left out.
    IdPool(uint32_t first_id, uint32_t ranges);

    // RESOURCE_EXHAUSTED when every range is held.
    absl::StatusOr<launcher::IdRange> allocate();
    // Takes a range that a record names. One from outside the pool (the configuration changed) is fine: nobody else
    // gets it. ALREADY_EXISTS when it is held.
    absl::Status reserve(const launcher::IdRange& range);
    // Whether the range that holds id N * kIdRangeSize, as slivers' links are named by, is of this pool.
    bool holdsNumber(uint32_t number) const;
    void release(const launcher::IdRange& range);

private:
    // Number of `range` in held_, or its size when it is not of this pool.
    size_t numberOf(const launcher::IdRange& range) const;

    const uint32_t first_id_;
    std::mutex mutex_;
    std::vector<bool> held_;
    size_t next_ = 0;  // where the search goes on: a released range rests for as long as possible
};

}  // namespace homeslice::isolation
