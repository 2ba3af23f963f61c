// What the kernel's own routing adds to the BPF programs: sysctls, and the table that packets are led into when the
// kernel shall answer them (Packet Too Big, Time Exceeded), or when the node itself sends to home addresses.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "base/ipv6.h"
#include "noded/sys/netlink.h"

namespace homeslice::mobility {

// All functions may be repeated and need a Netlink of the node's network namespace; the sysctls are those of the
// caller's.
absl::Status enableForwarding(const std::string& uplink);
absl::Status installRefusals(sys::Netlink& netlink, int uplink, uint32_t sliver_mtu);
// Leads what this node sends to `prefix` to the uplink's egress program.
absl::Status steerHomePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix, uint32_t sliver_mtu);
absl::Status unsteerHomePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix, uint32_t sliver_mtu);
// The home agent's answer to packets for addresses without a binding.
absl::Status refuseUnbound(sys::Netlink& netlink, const Ipv6Prefix& prefix);
absl::Status removeRefusals(sys::Netlink& netlink, uint32_t sliver_mtu);

}  // namespace homeslice::mobility
