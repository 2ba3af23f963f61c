// How fast a link may send: a token bucket with a queue at the link's root (tc-tbf(8), rtnetlink(7)). What cannot be
// sent yet waits in the queue, what finds the queue full is dropped. clsact and its programs stay as they are; they see
// a packet before the queue does. What waits is kept when the rate changes, and dropped when the burst
// does.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "noded/sys/netlink.h"

namespace homeslice::sys {

// Bytes are those of whole frames, with the link layer's header and, of a segmented packet (GSO), each segment's
// headers.
struct TokenBucket {
    uint64_t bytes_per_second = 0;
    uint32_t burst_bytes = 0;  // may go at once after a pause; at least one frame; even, or one less
    uint32_t queue_bytes = 0;
};

// Sets or changes the rate of what the link `index` sends. Safe to repeat.
// FAILED_PRECONDITION when the kernel has no token bucket (sch_tbf).
absl::Status limitSending(Netlink& netlink, int index, const TokenBucket& bucket);
// Without a limit again; fine when there was none.
absl::Status unlimitSending(Netlink& netlink, int index);

}  // namespace homeslice::sys
