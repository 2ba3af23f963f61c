// IPv4 packets as bytes, for tests.
#pragma once

#include "base/ipv4.h"
#include "noded/mobility/test_packet.h"

namespace homeslice::mobility {

inline constexpr unsigned kIpv4Type = 0x0800;

struct Ipv4Options {
    uint8_t service = 0;
    unsigned identification = 0;
    unsigned fragment = 0x4000;  // flags and offset
    uint8_t protocol = IPPROTO_IPV6;
};

inline Bytes ipv4(const Ipv6Address& from, const Ipv6Address& to, const Bytes& payload,
                  const Ipv4Options& options = {}) {
    constexpr unsigned kLength = 20;
    Bytes header = Bytes{0x45, options.service} + big16(static_cast<unsigned>(kLength + payload.size())) +
                   big16(options.identification) + big16(options.fragment) + Bytes{64, options.protocol, 0, 0} +
                   Bytes(from.bytes().begin() + 12, from.bytes().end()) +
                   Bytes(to.bytes().begin() + 12, to.bytes().end());
    uint32_t sum = 0;
    for (size_t i = 0; i < header.size(); i += 2) sum += uint32_t{header[i]} << 8 | header[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    header[10] = static_cast<uint8_t>(~sum >> 8);
    header[11] = static_cast<uint8_t>(~sum);
    return header + payload;
}

inline Ipv6Address ipv4Address(const std::string& text) { return parseAddress(text).value_or(Ipv6Address()); }

}  // namespace homeslice::mobility
