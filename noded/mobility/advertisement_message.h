// Advertisements on the wire: 40 bytes in a UDP datagram, numbers in network byte order.
//
//     0  "HSHA"        4  version, 1    5  priority    6  interval, ms (16 bits)
//     8  term (64)    16  home prefix (16 bytes)      32  its length    33  zero
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ipv6.h"
#include "noded/mobility/election.h"

namespace homeslice::mobility {

constexpr size_t kAdvertisementSize = 40;

std::array<uint8_t, kAdvertisementSize> encodeAdvertisement(const Ipv6Prefix& home_prefix,
                                                            const Advertisement& advertisement);
// Nothing unless it is a whole and sound one for `home_prefix`: home agents of other prefixes are none of ours.
std::optional<Advertisement> decodeAdvertisement(const Ipv6Prefix& home_prefix, std::span<const uint8_t> datagram);

}  // namespace homeslice::mobility
