// Moving a binding under a stream of datagrams, and how many updates a home agent takes.
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

// Binding updates a second that a home agent accepts and puts into the data plane and into its memory: of new
// addresses first, then each to another node. Called in its network, without a transport.
absl::StatusOr<double> acceptedUpdates(Network& network, unsigned count);

// Binds so many addresses that nobody asks for, and takes them away again.
absl::Status fill(Network& network, unsigned count);
absl::Status empty(Network& network, unsigned count);

}  // namespace homeslice::bench
