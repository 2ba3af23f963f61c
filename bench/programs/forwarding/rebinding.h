// Moving a binding under a stream of datagrams.
#pragma once

#include <absl/status/statusor.h>

#include <vector>

#include "network.h"

namespace homeslice::bench {

struct Rebinding {
    uint64_t sent = 0;
    uint64_t lost = 0;
    std::vector<double> first_packet;  // seconds from the command to the first packet at the new node
};

// Binds the sliver to one node and the other in turn, so many times, under 10,000 datagrams a second. Both hold it.
absl::StatusOr<Rebinding> rebind(Network& network, unsigned times);

}  // namespace homeslice::bench
