// How many binding updates a home agent takes from nodes.
#pragma once

#include <absl/status/statusor.h>

#include "network.h"

namespace homeslice::bench {

struct UpdateRates {  // a second
    double registrations = 0;
    double refreshes = 0;
};

// Four nodes register so many addresses between them and refresh them once, all over gRPC with TLS, with grants, and
// each watching the binding cache as nodes do; the home agent puts them into its cache, its data plane and its memory.
absl::StatusOr<UpdateRates> acceptedUpdates(Network& network, unsigned count);

}  // namespace homeslice::bench
