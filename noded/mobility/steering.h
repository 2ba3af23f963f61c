// What the kernel's own routing adds to the BPF programs: sysctls, and the table that packets are led into when the
// kernel shall answer them (Packet Too Big, Time Exceeded), or when the node itself sends to home addresses.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "base/ipv6.h"
#include "noded/sys/netlink.h"

namespace homeslice::mobility {

// All functions may be repeated and need a Netlink of the node's network namespace; sysctls and packet filter are those
// of the caller's.
absl::Status enableForwarding(const std::string& uplink);
absl::Status installRefusals(sys::Netlink& netlink, int uplink, uint32_t sliver_mtu);
// Leads what this node sends to `prefix` to the uplink's egress program.
absl::Status steerHomePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix, uint32_t sliver_mtu);
absl::Status unsteerHomePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix, uint32_t sliver_mtu);
// The home agent's answer to packets for addresses without a binding: Destination Unreachable, address unreachable
// (RFC 4443 3.1). Replaces the one for an earlier prefix.
absl::Status refuseUnbound(const Ipv6Prefix& prefix);
// A route for the prefix, which this node never takes itself: routing daemons announce it (`redistribute kernel`).
absl::Status announcePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix);
absl::Status removeRefusals(sys::Netlink& netlink, uint32_t sliver_mtu);

}  // namespace homeslice::mobility
