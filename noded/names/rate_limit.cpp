#include "noded/names/rate_limit.h"

#include <algorithm>

namespace homeslice::names {

bool RateLimit::allow(const Ipv6Address& asker, Monotonic::time_point now) {
    if (buckets_.size() >= kMostAskers && !buckets_.contains(asker)) buckets_.clear();
    const auto [entry, fresh] = buckets_.try_emplace(asker, Bucket{.tokens = burst_, .filled = now});
    Bucket& bucket = entry->second;
    const double seconds = std::chrono::duration<double>(now - bucket.filled).count();
    bucket.tokens = std::min(burst_, bucket.tokens + seconds * rate_);
    bucket.filled = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
}

}  // namespace homeslice::names
