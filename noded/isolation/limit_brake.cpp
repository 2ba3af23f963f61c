#include "noded/isolation/limit_brake.h"

#include <algorithm>

#include "base/log.h"
#include "base/status.h"

namespace homeslice::isolation {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr uint64_t kManyRefusedForks = 100;
constexpr uint64_t kManyOomKills = 3;
constexpr seconds kWindow(1);
constexpr seconds kQuiet(1);
constexpr seconds kFirstHold(20);
constexpr minutes kLongestHold(5);

}  // namespace

LimitBrake::LimitBrake(sys::Cgroups& cgroups, std::string group, uint32_t cpu_millis)
    : cgroups_(cgroups), group_(std::move(group)), cpu_millis_(cpu_millis) {}

void LimitBrake::look(const LimitHits& hits, Monotonic::time_point now) {
    if (hits != hits_) last_hit_ = now;
    hits_ = hits;
    if (is_slowed_) {
        const bool is_quiet = now - last_hit_ >= kQuiet;
        if (is_quiet) hold_ = {};
        if (is_quiet || now - slowed_at_ >= hold_) letGo();
        return;
    }
    if (isStorm() && !is_released_) return slowDown(now);
    if (now - window_begin_ < kWindow) return;
    window_begin_ = now;
    hits_at_begin_ = hits_;
}

void LimitBrake::setCap(uint32_t cpu_millis) {
    cpu_millis_ = cpu_millis;
    if (is_slowed_) letGo();
}

void LimitBrake::release() {
    is_released_ = true;
    if (is_slowed_) letGo();
}

bool LimitBrake::isStorm() const {
    return hits_.refused_forks - hits_at_begin_.refused_forks >= kManyRefusedForks ||
           hits_.oom_kills - hits_at_begin_.oom_kills >= kManyOomKills;
}

void LimitBrake::slowDown(Monotonic::time_point now) {
    if (const absl::Status squeezed = cgroups_.squeezeCpu(group_); !squeezed.ok()) {
        logWarning("cgroup {}: not slowed down: {}", group_, messageOf(squeezed));
        return;
    }
    is_slowed_ = true;
    slowed_at_ = now;
    hold_ = std::clamp<Monotonic::duration>(2 * hold_, kFirstHold, kLongestHold);
    logWarning(
        "cgroup {}: runs into its limits over and over ({} forks refused, {} processes killed), slowed down for "
        "at most {} s",
        group_, hits_.refused_forks, hits_.oom_kills, std::chrono::duration_cast<seconds>(hold_).count());
}

void LimitBrake::letGo() {
    is_slowed_ = false;
    hits_at_begin_ = hits_;
    const absl::Status restored = cgroups_.setCpuCap(group_, cpu_millis_);
    if (!restored.ok()) logWarning("cgroup {}: stays slowed down: {}", group_, messageOf(restored));
}

}  // namespace homeslice::isolation
