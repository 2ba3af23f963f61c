// Keepalives between a node behind a NAT and a home agent (NAT keepalives, RFC 5555 5.4.3): a UDP datagram of 72 bytes,
// numbers in network byte order. Its first byte is of no IP version, so it is no tunnelled packet.
//
//     0  00 "HSK"     4  version, 1     5  0: from the node, 1: the answer    6  port that the home agent sees (answer)
//     8  IPv4 address that it sees (answer)    12  zero    16  care-of address    32  sequence    40  HMAC-SHA256
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "noded/mobility/forwarder.h"

namespace homeslice::mobility {

constexpr size_t kKeepaliveSize = 72;
constexpr size_t kKeepaliveKeySize = 32;

struct Keepalive {
    Ipv6Address care_of_address;  // base/nat.h
    uint64_t sequence = 0;
    std::optional<UdpEndpoint> seen{};  // in answers: where the node is seen

    bool operator==(const Keepalive&) const = default;
};

std::array<uint8_t, kKeepaliveSize> encodeKeepalive(const Keepalive& keepalive, const std::string& key);
// What it says, whoever made it; nothing unless it is a sound one.
std::optional<Keepalive> decodeKeepalive(std::span<const uint8_t> datagram);
// Of one that was decoded.
bool isSignedWith(std::span<const uint8_t> datagram, const std::string& key);

}  // namespace homeslice::mobility
