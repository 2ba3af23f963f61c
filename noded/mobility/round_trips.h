// Measures how far the members of sets with Balance::nearest are from this node: an ICMP echo a second to each care-of
// address that counts, to a new one four a second at first. Nothing is sent where no slice asks for it.
#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "base/ipv6.h"
#include "noded/mobility/forwarder.h"

namespace homeslice::mobility {

class RoundTrips {
public:
    // Tells `forwarder`, which outlives it, each distance (measured_distance.h). `self`: this node's care-of address.
    // In the caller's network namespace, with a thread of its own.
    static absl::StatusOr<std::unique_ptr<RoundTrips>> start(const Ipv6Address& self, Forwarder& forwarder);
    virtual ~RoundTrips() = default;
};

}  // namespace homeslice::mobility
