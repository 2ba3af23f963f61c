#include "controller/core/quota.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/reason.h"
#include "base/status.h"
#include "controller/core/views.h"

namespace homeslice::controller {
namespace {

Usage usageBy(uint64_t slivers, const Resources& each) {
    return {.slivers = slivers,
            .cpu_millis = slivers * each.cpu_millis,
            .memory_bytes = slivers * each.memory_bytes,
            .disk_bytes = slivers * each.disk_bytes};
}

Usage usageWithout(const Snapshot& snapshot, const std::string& user, const std::string& except) {
    Usage sum;
    for (const auto& [name, slice] : snapshot.slices) {
        if (slice.owner != user || slice.deleting || name == except) continue;
        const Usage one = usageBy(sliversOf(snapshot, name).size(), slice.base.resources);
        sum.slivers += one.slivers;
        sum.cpu_millis += one.cpu_millis;
        sum.memory_bytes += one.memory_bytes;
        sum.disk_bytes += one.disk_bytes;
    }
    return sum;
}

std::string countText(uint64_t count) { return std::to_string(count); }

std::string cpuText(uint64_t millis) { return std::to_string(millis) + "m"; }

// "800M", "2G": as people ask for it, if it is that round.
std::string bytesText(uint64_t bytes) {
    constexpr uint64_t kMebi = uint64_t{1} << 20;
    constexpr uint64_t kGibi = uint64_t{1} << 30;
    if (bytes % kGibi == 0) return std::to_string(bytes / kGibi) + "G";
    return bytes % kMebi == 0 ? std::to_string(bytes / kMebi) + "M" : std::to_string(bytes);
}

struct Limit {
    const char* what;    // "memory"
    const char* option;  // that says it of a slice; null: every slice says it
    std::string (*text)(uint64_t amount);
    std::optional<uint64_t> most;
    uint64_t used = 0;
    uint64_t asked = 0;
};

absl::Status check(const std::string& user, const Limit& limit) {
    if (!limit.most) return absl::OkStatus();
    if (limit.option != nullptr && limit.asked == 0) {
        return failedPrecondition(fmt::format("user '{}' has a quota of {}, so slivers need a limit that counts: {}",
                                              user, limit.what, limit.option));
    }
    const uint64_t left = *limit.most - std::min(limit.used, *limit.most);
    if (limit.asked <= left) return absl::OkStatus();
    const absl::Status exceeded = resourceExhausted(
        fmt::format("the quota of user '{}' for {} is {}: {} used, {} left, {} asked for", user, limit.what,
                    limit.text(*limit.most), limit.text(limit.used), limit.text(left), limit.text(limit.asked)));
    return because(exceeded, reason::kQuotaExceeded, {{"user", user}, {"quota", limit.what}});
}

// 0 is no cap at all.
bool isMore(uint64_t next, uint64_t now) { return next != now && (next == 0 || (now != 0 && next > now)); }

absl::Status check(const std::string& user, const Quota& quota, const Usage& used, const Usage& asked) {
    HS_RETURN_IF_ERROR(check(user, {"slivers", nullptr, countText, quota.slivers, used.slivers, asked.slivers}));
    HS_RETURN_IF_ERROR(check(user, {"CPU", "--cpus", cpuText, quota.cpu_millis, used.cpu_millis, asked.cpu_millis}));
    HS_RETURN_IF_ERROR(
        check(user, {"memory", "--memory", bytesText, quota.memory_bytes, used.memory_bytes, asked.memory_bytes}));
    return check(user, {"disk", "--disk", bytesText, quota.disk_bytes, used.disk_bytes, asked.disk_bytes});
}

}  // namespace

Usage usageOf(const Snapshot& snapshot, const std::string& user) { return usageWithout(snapshot, user, ""); }

absl::Status checkQuota(const Snapshot& snapshot, const std::string& owner, uint64_t slivers, const Resources& each) {
    const auto user = snapshot.users.find(owner);
    if (user == snapshot.users.end() || user->second.quota == Quota()) return absl::OkStatus();
    return check(owner, user->second.quota, usageOf(snapshot, owner), usageBy(slivers, each));
}

absl::Status checkQuota(const Snapshot& snapshot, const Slice& slice, const Resources& next) {
    const auto user = snapshot.users.find(slice.owner);
    if (user == snapshot.users.end() || user->second.quota == Quota()) return absl::OkStatus();
    const Resources& now = slice.base.resources;
    Quota quota = user->second.quota;
    quota.slivers.reset();
    if (!isMore(next.cpu_millis, now.cpu_millis)) quota.cpu_millis.reset();
    if (!isMore(next.memory_bytes, now.memory_bytes)) quota.memory_bytes.reset();
    if (!isMore(next.disk_bytes, now.disk_bytes)) quota.disk_bytes.reset();
    return check(slice.owner, quota, usageWithout(snapshot, slice.owner, slice.name),
                 usageBy(sliversOf(snapshot, slice.name).size(), next));
}

}  // namespace homeslice::controller
