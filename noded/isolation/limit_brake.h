// Slows down a sliver that runs into its limits over and over, as a fork bomb does.
//
// What the kernel does for one that is refused is done on behalf of nobody, or cannot be interrupted: the larger part
// of a refused fork is paid later by whoever is on the processor then (RCU callbacks in softirq context), and a process
// that is killed for want of memory gives back what it had without a pause. Weights, caps and reservations do not count
// that. So a sliver that is refused 100 forks, or loses 3 processes to the limit of memory, within a second gets 2 ms
// of CPU a second, until neither has happened for a second, or until a time has passed that doubles from 20 seconds up
// to 5 minutes while it goes on like that. Threads: one at a time.
#pragma once

#include <string>

#include "base/clock.h"
#include "noded/sys/cgroup.h"

namespace homeslice::isolation {

// How often a group has run into its limits so far.
struct LimitHits {
    uint64_t refused_forks = 0;
    uint64_t oom_kills = 0;

    bool operator==(const LimitHits&) const = default;
};

class LimitBrake {
public:
    // The group has this cap (CgroupLimits::cpu_millis). `cgroups` outlives the brake.
    LimitBrake(sys::Cgroups& cgroups, std::string group, uint32_t cpu_millis);

    void look(const LimitHits& hits, Monotonic::time_point now);
    // The group has another cap from here on; it is not slowed down before the next look.
    void setCap(uint32_t cpu_millis);
    // Its cap holds again, and holds on until rearm(), whatever the group does.
    void release();
    void rearm() { is_released_ = false; }

private:
    bool isStorm() const;
    void slowDown(Monotonic::time_point now);
    void letGo();

    sys::Cgroups& cgroups_;
    const std::string group_;
    uint32_t cpu_millis_;
    bool is_released_ = false;
    bool is_slowed_ = false;
    LimitHits hits_;
    LimitHits hits_at_begin_;  // of the window
    Monotonic::time_point window_begin_{};
    Monotonic::time_point last_hit_{};
    Monotonic::time_point slowed_at_{};
    Monotonic::duration hold_{};
};

}  // namespace homeslice::isolation
