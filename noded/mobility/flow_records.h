// What the data plane recorded of slivers' flows (bpf/audit.bpf.h).
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/ipv6.h"

namespace homeslice::mobility {

// Packets that a sliver sent, of one protocol between two addresses and ports.
struct FlowRecord {
    Ipv6Address home_address;  // the sliver's own
    Ipv6Address source;        // as sent; unspecified, as all that follows but the protocol: many flows together
    Ipv6Address destination;
    uint16_t source_port = 0;
    uint16_t destination_port = 0;
    uint8_t protocol = 0;
    Monotonic::time_point first;
    Monotonic::time_point last;
    uint64_t packets = 0;
    uint64_t bytes = 0;
};

}  // namespace homeslice::mobility
