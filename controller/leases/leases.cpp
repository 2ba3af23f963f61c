#include "controller/leases/leases.h"

#include <algorithm>
#include <charconv>

#include "base/status.h"

namespace homeslice::controller {
namespace {

// Seconds in the unit at the end of a duration; 0 for an unknown unit.
int64_t secondsIn(const std::string& unit) {
    if (unit.empty() || unit == "s") return 1;
    if (unit == "m") return 60;
    if (unit == "h") return 3600;
    if (unit == "d") return 86400;
    return 0;
}

}  // namespace

absl::StatusOr<std::chrono::seconds> checkLease(uint32_t asked_s, std::chrono::seconds fallback) {
    if (asked_s == 0) return fallback;
    if (std::chrono::seconds(asked_s) > kMaxLease) {
        return invalidArgument("a lease of " + std::to_string(asked_s) + " s is too long: 30 days at most, then renew");
    }
    return std::chrono::seconds(asked_s);
}

std::chrono::seconds grantRenewal(uint32_t asked_s, std::chrono::seconds fallback) {
    return asked_s == 0 ? fallback : std::min<std::chrono::seconds>(std::chrono::seconds(asked_s), kMaxLease);
}

int64_t deletionTime(const Slice& slice, std::chrono::seconds grace) {
    return slice.lease_end_us + std::chrono::microseconds(grace).count();
}

LeaseState leaseState(const Slice& slice, std::chrono::seconds grace, int64_t now_us) {
    if (deletionTime(slice, grace) <= now_us) return LeaseState::past_grace;
    if (slice.lease_end_us <= now_us) return LeaseState::over;
    const int64_t warn_us = slice.lease_end_us - std::chrono::microseconds(kLeaseWarning).count();
    return warn_us <= now_us ? LeaseState::ending : LeaseState::active;
}

absl::StatusOr<std::chrono::seconds> parseDuration(const std::string& text) {
    constexpr int64_t kTenYears = int64_t{10} * 366 * 86400;
    int64_t count = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, count);
    const int64_t unit = error == std::errc() ? secondsIn(std::string(rest, end)) : 0;
    if (unit == 0 || count <= 0 || count > kTenYears / unit) {
        return invalidArgument("'" + text + "' is not a duration like 90s, 15m, 12h or 7d");
    }
    return std::chrono::seconds(count * unit);
}

}  // namespace homeslice::controller
