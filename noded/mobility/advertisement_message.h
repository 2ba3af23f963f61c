// What home agents say to each other, on the wire: 104 bytes in a UDP datagram, numbers in network byte order.
//
//     0  "HSHA"    4  version, 2    5  kind    6  priority    7  length of the home prefix    8  home prefix (16 bytes)
//    24  term (64)    32  life (64)    40  sequence (64)    48  nonce (16 bytes)
//    64  interval, ms (16)    66  zero (6 bytes)    72  code (32 bytes)
//
// The code is HMAC-SHA256 over what is before it, the sender's address and the receiver's, with the key that the
// controller gave to the home agents.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/ipv6.h"
#include "noded/mobility/advertisement_freshness.h"
#include "noded/mobility/election.h"

namespace homeslice::mobility {

constexpr size_t kAdvertisementSize = 104;

struct HomeAgentMessage {
    enum class Kind : uint8_t { advertisement = 0, challenge = 1 } kind = Kind::advertisement;
    Advertisement advertisement{};  // means nothing in a challenge
    Stamp stamp{};
};

// Between whom, about what.
struct Correspondence {
    Ipv6Address from;
    Ipv6Address to;
    Ipv6Prefix home_prefix;
    std::string key;
};

// Nothing when the system's cryptography fails.
std::optional<std::array<uint8_t, kAdvertisementSize>> encodeMessage(const Correspondence& between,
                                                                     const HomeAgentMessage& message);
// Nothing unless it is authentic, whole and sound, and about `home_prefix`. It may be old: see
// advertisement_freshness.h.
std::optional<HomeAgentMessage> decodeMessage(const Correspondence& between, std::span<const uint8_t> datagram);

}  // namespace homeslice::mobility
