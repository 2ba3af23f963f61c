// Traffic for all of a million bound addresses at random, where each packet asks for another binding; and for as many
// that a plain router has routes for.
#pragma once

#include <absl/status/status.h>

#include "contest.h"
#include "network.h"
#include "results.h"

namespace homeslice::bench {

// Binds so many addresses at the second home agent, beside the sliver's, to an address at the node where packets end.
absl::Status fill(Network& network, unsigned count);

// Gives the plain router a route of its own for each of so many addresses.
absl::Status route(Network& network, unsigned count);

// Sends datagrams to one of the extent's bound addresses and to all: by the home agent, by the plain router if the
// extent has routes, and straight to the node where neither is needed. Fills in results.spread and .routes_spread, one
// entry a round. After fill() and route().
absl::Status measureSpread(Network& network, const Extent& extent, Results& results);

}  // namespace homeslice::bench
