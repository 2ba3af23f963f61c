#include "noded/isolation/id_pool.h"

#include <algorithm>

#include "base/status.h"

namespace homeslice::isolation {
namespace {

// 4294967295 is "no id" (credentials(7)).
size_t fitting(uint32_t first_id, uint32_t ranges) {
    const uint64_t room = (uint64_t{UINT32_MAX} - first_id) / kIdRangeSize;
    return static_cast<size_t>(std::min<uint64_t>(ranges, room));
}

}  // namespace

SliverId nameAhead(const launcher::IdRange& ids) { return {.slice = "@pool", .index = ids.first / kIdRangeSize}; }

IdPool::IdPool(uint32_t first_id, uint32_t ranges) : first_id_(first_id), held_(fitting(first_id, ranges), false) {}

absl::StatusOr<launcher::IdRange> IdPool::allocate() {
    const std::lock_guard lock(mutex_);
    for (size_t tried = 0; tried < held_.size(); ++tried) {
        const size_t number = (next_ + tried) % held_.size();
        if (held_[number]) continue;
        held_[number] = true;
        next_ = number + 1;
        return launcher::IdRange{.first = first_id_ + static_cast<uint32_t>(number) * kIdRangeSize,
                                 .count = kIdRangeSize};
    }
    return resourceExhausted("all " + std::to_string(held_.size()) + " id ranges of this node are in use");
}

size_t IdPool::numberOf(const launcher::IdRange& range) const {
    if (range.first < first_id_) return held_.size();
    return std::min<size_t>((range.first - first_id_) / kIdRangeSize, held_.size());
}

absl::Status IdPool::reserve(const launcher::IdRange& range) {
    const std::lock_guard lock(mutex_);
    const size_t number = numberOf(range);
    if (number == held_.size()) return absl::OkStatus();
    if (held_[number]) return alreadyExists("id range from " + std::to_string(range.first) + " is held already");
    held_[number] = true;
    return absl::OkStatus();
}

bool IdPool::holdsNumber(uint32_t number) const {
    const uint32_t first = first_id_ / kIdRangeSize;
    return number >= first && number - first < held_.size();
}

void IdPool::release(const launcher::IdRange& range) {
    const std::lock_guard lock(mutex_);
    const size_t number = numberOf(range);
    if (number < held_.size()) held_[number] = false;
}

}  // namespace homeslice::isolation
