// IPv4 on links whose neighbours are known by IPv6: routes by way of an IPv6 next hop (RTA_VIA, Linux 5.2), so that
// nobody needs ARP. Addresses are IPv4-mapped (base/ipv4.h). Everything is safe to repeat.
#pragma once

#include <absl/status/status.h>

#include "base/ipv6.h"
#include "noded/sys/netlink.h"

namespace homeslice::sys {

// As a /32.
absl::Status addIpv4Address(Netlink& netlink, int index, const Ipv6Address& address);
// To `destination` alone, or to everything if it is unspecified (::).
absl::Status addIpv4Route(Netlink& netlink, const Ipv6Address& destination, int index, const Ipv6Address& gateway);

}  // namespace homeslice::sys
