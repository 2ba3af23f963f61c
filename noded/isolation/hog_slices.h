// Long time slices for a sliver that computes without a pause, so that one that wakes up now and then need not wait for
// the end of a slice of it.
//
// With slices of one length the scheduler leaves who is on the processor there until the next tick, some 4 ms, even if
// another one that has had much less is ready (EEVDF: the earlier deadline wins). Slivers begin with the shortest
// slices that the kernel gives; one that takes more than half a processor has 20 ms until it takes less. How much each
// gets does not depend on that. Threads: one at a time.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "noded/sys/cgroup.h"

namespace homeslice::isolation {

class HogSlices {
public:
    // `cgroups` outlives this.
    HogSlices(const sys::Cgroups& cgroups, std::string group);

    // `cpu_micros`: the CPU time of the group so far.
    void look(uint64_t cpu_micros, Monotonic::time_point now);

private:
    void give(uint64_t slice_ns, Monotonic::time_point now);

    const sys::Cgroups& cgroups_;
    const std::string group_;
    std::optional<uint64_t> cpu_micros_;
    Monotonic::time_point looked_{};
    std::optional<Monotonic::time_point> busy_;
    bool is_hog_ = false;
    Monotonic::time_point given_{};
};

}  // namespace homeslice::isolation
