// The Binding Error message (RFC 6275, 6.1.9) in a Mobility Header (6.1.1), as it is after the IPv6 header.
#pragma once

#include <optional>
#include <string>

#include "base/ipv6.h"

namespace homeslice::mobility {

constexpr int kMobilityHeader = 135;  // the protocol number; its checksum is the kernel's work on raw sockets

// Status 1: no binding for this home address.
std::string encodeBindingError(const Ipv6Address& home_address);
// The home address; nothing when `message` is not what encodeBindingError() makes.
std::optional<Ipv6Address> decodeBindingError(const std::string& message);

}  // namespace homeslice::mobility
