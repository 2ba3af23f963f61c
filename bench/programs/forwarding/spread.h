// Traffic for all of a million bound addresses at random, where each packet asks for another binding.
#pragma once

#include <absl/status/status.h>

#include <chrono>

#include "network.h"
#include "results.h"

namespace homeslice::bench {

// Binds so many addresses at the second home agent, beside the sliver's, to an address at the node where packets end.
absl::Status fill(Network& network, unsigned count);

// Sends datagrams to one of these addresses and to all, and the same straight to the node where no binding is needed;
// fills in results.spread, one entry a round. After fill().
absl::Status measureSpread(Network& network, unsigned bindings, unsigned rounds, std::chrono::milliseconds duration,
                           Results& results);

}  // namespace homeslice::bench
