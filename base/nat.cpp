#include "base/nat.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace homeslice {
namespace {

constexpr size_t kNumberBegin = 4;
constexpr size_t kNumberEnd = 8;
// Bytes around the number.
constexpr std::array<uint8_t, 4> kMappedBefore{};
constexpr std::array<uint8_t, 4> kMappedAfter{0, 0, 0xff, 0xff};

// FNV-1a: it has to be the same everywhere and for ever, and to differ between nodes that have the same address behind
// their NATs; the controller refuses the one of two with which it does not.
uint32_t numberOf(const std::string& node) {
    uint32_t hash = 2166136261U;
    for (const char c : node) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619U;
    return hash == 0 ? 1 : hash;
}

}  // namespace

bool isBehindNat(const Ipv6Address& address) {
    const auto& bytes = address.bytes();
    const auto* const number = bytes.begin() + kNumberBegin;
    return std::equal(kMappedBefore.begin(), kMappedBefore.end(), bytes.begin()) &&
           std::equal(kMappedAfter.begin(), kMappedAfter.end(), bytes.begin() + kNumberEnd) &&
           std::any_of(number, bytes.begin() + kNumberEnd, [](uint8_t byte) { return byte != 0; });
}

Ipv6Address behindNat(const Ipv6Address& ipv4, const std::string& node) {
    auto bytes = ipv4.bytes();
    const uint32_t number = numberOf(node);
    for (size_t i = kNumberBegin; i < kNumberEnd; ++i)
        bytes[i] = static_cast<uint8_t>(number >> 8 * (kNumberEnd - 1 - i));
    return Ipv6Address(bytes);
}

bool isBehindNatOf(const Ipv6Address& address, const std::string& node) {
    return isBehindNat(address) && behindNat(address, node) == address;
}

Ipv6Address beforeNat(const Ipv6Address& address) {
    if (!isBehindNat(address)) return address;
    auto bytes = address.bytes();
    std::fill(bytes.begin() + kNumberBegin, bytes.begin() + kNumberEnd, uint8_t{0});
    return Ipv6Address(bytes);
}

}  // namespace homeslice
