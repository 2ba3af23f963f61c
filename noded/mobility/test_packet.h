// Packets as bytes, for tests.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "noded/sys/netlink.h"

namespace homeslice::mobility {

using Bytes = std::vector<uint8_t>;

inline Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}
inline Bytes big16(unsigned value) { return {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)}; }

inline Bytes ethernet(const sys::MacAddress& destination, const sys::MacAddress& source, unsigned type = 0x86dd) {
    return Bytes(destination.begin(), destination.end()) + Bytes(source.begin(), source.end()) + big16(type);
}

struct Ipv6Options {
    uint8_t hop_limit = 64;
    uint8_t traffic_class = 0;
    uint32_t flow_label = 0;
};

inline Bytes ipv6(const Ipv6Address& source, const Ipv6Address& destination, uint8_t next, const Bytes& payload,
                  const Ipv6Options& options = {}) {
    const uint32_t first = 6U << 28 | uint32_t{options.traffic_class} << 20 | options.flow_label;
    return big16(first >> 16) + big16(first) + big16(static_cast<unsigned>(payload.size())) +
           Bytes{next, options.hop_limit} + Bytes(source.bytes().begin(), source.bytes().end()) +
           Bytes(destination.bytes().begin(), destination.bytes().end()) + payload;
}

constexpr uint8_t kSyn = 0x02;
constexpr uint8_t kAck = 0x10;

inline Bytes tcp(unsigned source_port, unsigned destination_port, uint8_t flags) {
    return big16(source_port) + big16(destination_port) + Bytes(8, 0) + Bytes{0x50, flags} + Bytes(6, 0);
}
inline Bytes udp(unsigned source_port, unsigned destination_port, size_t length = 8) {
    return big16(source_port) + big16(destination_port) + big16(static_cast<unsigned>(8 + length)) + big16(0) +
           Bytes(length, 'x');
}
// Type, code, checksum, four bytes, body.
inline Bytes icmpv6(uint8_t type, const Bytes& body = {}) { return Bytes{type, 0, 0, 0, 0, 7, 0, 1} + body; }

}  // namespace homeslice::mobility
