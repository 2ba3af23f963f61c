// The time slice that a thread asks the scheduler for (EEVDF: sched_setattr(2) with sched_runtime, since Linux 6.12).
// Who wakes up with a shorter one than the thread on the processor goes first, if it has had no more than its share.
// Header only, for the small static programs too.
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>

namespace homeslice::sys {

constexpr uint64_t kShortestSliceNs = 100'000;  // the kernel's least

// sched_setattr(2). The kernel's own header cannot be included beside <sched.h>.
struct SchedulingAttributes {
    uint32_t size = sizeof(SchedulingAttributes);
    uint32_t policy = 0;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtime_ns = 0;
    uint64_t deadline_ns = 0;
    uint64_t period_ns = 0;
};

// The caller's for `thread` 0. Without a slice (0) where the kernel has none, or the thread a policy without. False
// with errno set when it failed; so the next one.
inline bool getSchedulingAttributes(pid_t thread, SchedulingAttributes& attributes) {
    return ::syscall(SYS_sched_getattr, thread, &attributes, sizeof attributes, 0) == 0;
}

// Children inherit it. Policy and nice value stay; a thread of a policy without slices is left as it is. Older kernels
// take the request and ignore it.
inline bool setTimeSlice(pid_t thread, uint64_t nanoseconds) {
    SchedulingAttributes attributes;
    if (!getSchedulingAttributes(thread, attributes)) return false;
    if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH) return true;
    if (attributes.runtime_ns == nanoseconds) return true;
    attributes.runtime_ns = nanoseconds;
    return ::syscall(SYS_sched_setattr, thread, &attributes, 0) == 0;
}

// Whether this kernel has slices that can be asked for.
inline bool hasTimeSlices() {
    SchedulingAttributes own;
    return getSchedulingAttributes(0, own) && own.runtime_ns != 0;
}

}  // namespace homeslice::sys
