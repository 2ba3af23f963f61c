// IPv4 addresses, held as IPv4-mapped IPv6 ones (RFC 4291 2.5.5.2), so that one type holds an underlay address of
// either version. People and gRPC get them as IPv4.
#pragma once

#include <absl/status/statusor.h>
#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "base/ipv6.h"

namespace homeslice {

// Also one behind a NAT (base/nat.h).
bool isIpv4(const Ipv6Address& address);
Ipv6Address mappedAddress(const in_addr& address);
// Of one that isIpv4().
in_addr toIn4(const Ipv6Address& address);

// "192.0.2.1" or "fd00::1"; INVALID_ARGUMENT for anything else.
absl::StatusOr<Ipv6Address> parseAddress(const std::string& text);
// The text that parseAddress() takes; with " (NAT)" after one behind a NAT.
std::string addressText(const Ipv6Address& address);
// "192.0.2.1:7401" or "[fd00::1]:7401"
std::string endpointText(const Ipv6Address& address, uint16_t port);

}  // namespace homeslice
