// The slivers' way out under their node's own addresses: what the programs mark as begun by a sliver (HS_OUTBOUND_MARK)
// the kernel translates (masquerade), IPv6 and IPv4. Nothing else is tracked or translated for slivers.
#pragma once

#include <absl/status/status.h>

#include "base/ipv6.h"

namespace homeslice::mobility {

// Both act on the caller's network namespace, and may be repeated.
// Turns IPv4 forwarding on as well (net.ipv4.ip_forward=1). `home_prefix` may be unknown yet (length 0).
absl::Status translateOutbound(const Ipv6Prefix& home_prefix);
absl::Status stopTranslating();

// The IPv4 address (IPv4-mapped) of a node's sliver number `number`, 1 to 65535.
Ipv6Address sliverIpv4(uint16_t number);

}  // namespace homeslice::mobility
