// Looks after what slivers do, and takes care that their neighbours do not feel it: LimitBrake, HogSlices.
//
// Looks at each every 50 ms, or less often where there are many (1 ms for each), as the kernel tells nobody when a
// counter changes (pids.events on cgroup v1, CPU time at all).
// Threads: any.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "noded/isolation/hog_slices.h"
#include "noded/isolation/limit_brake.h"
#include "noded/sys/cgroup.h"

namespace homeslice::isolation {

class HogWatch {
public:
    // `cgroups` outlives the watch.
    explicit HogWatch(sys::Cgroups& cgroups);
    ~HogWatch();
    HogWatch(const HogWatch&) = delete;
    HogWatch& operator=(const HogWatch&) = delete;

    // The group has this cap now (CgroupLimits::cpu_millis). Safe to repeat, also with another one.
    void watch(const std::string& group, uint32_t cpu_millis);
    // It can run as fast as it may from here on, which it has to in order to be frozen or to end.
    void release(const std::string& group);
    // After release().
    void resume(const std::string& group);
    // Before the group is deleted.
    void forget(const std::string& group);

private:
    struct Counters {
        sys::CgroupCounter refused_forks;
        sys::CgroupCounter oom_kills;
        sys::CgroupCounter cpu_micros;
    };
    struct Watched {
        Watched(sys::Cgroups& cgroups, const std::string& group, uint32_t cpu_millis);

        std::optional<Counters> counters;  // from the first look on: a start has no time for it
        LimitBrake brake;
        HogSlices slices;
    };

    void run();
    void look(const std::string& group, Watched& watched);

    sys::Cgroups& cgroups_;
    const bool has_slices_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::map<std::string, Watched> groups_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace homeslice::isolation
