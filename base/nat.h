// Care-of addresses behind a NAT. Nobody outside can send to such an IPv4 address, and the same one may be in use
// behind another NAT. So it has a number of its node's in the second 32 bits, which are 0 in IPv4-mapped addresses: a
// name for the node that says where it is, which no packet ever carries.
#pragma once

#include <string>

#include "base/ipv6.h"

namespace homeslice {

bool isBehindNat(const Ipv6Address& address);
// `ipv4`: as of base/ipv4.h.
Ipv6Address behindNat(const Ipv6Address& ipv4, const std::string& node);
// Whether `address` is one that behindNat() makes for `node`.
bool isBehindNatOf(const Ipv6Address& address, const std::string& node);
// The IPv4-mapped address, as the node itself has it; others as they are.
Ipv6Address beforeNat(const Ipv6Address& address);

}  // namespace homeslice
