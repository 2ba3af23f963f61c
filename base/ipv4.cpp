#include "base/ipv4.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/nat.h"
#include "base/status.h"

namespace homeslice {
namespace {

constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string ipv4Text(const Ipv6Address& address) {
    const in_addr ipv4 = toIn4(address);
    char text[INET_ADDRSTRLEN];
    return inet_ntop(AF_INET, &ipv4, text, sizeof text);
}

}  // namespace

bool isIpv4(const Ipv6Address& address) {
    const Ipv6Address plain = beforeNat(address);
    return std::equal(kMapped.begin(), kMapped.end(), plain.bytes().begin());
}

Ipv6Address mappedAddress(const in_addr& address) {
    std::array<uint8_t, 16> bytes{};
    std::copy(kMapped.begin(), kMapped.end(), bytes.begin());
    std::memcpy(bytes.data() + kMapped.size(), &address, sizeof address);
    return Ipv6Address(bytes);
}

in_addr toIn4(const Ipv6Address& address) {
    in_addr result{};
    std::memcpy(&result, address.bytes().data() + kMapped.size(), sizeof result);
    return result;
}

absl::StatusOr<Ipv6Address> parseAddress(const std::string& text) {
    in_addr ipv4{};
    if (inet_pton(AF_INET, text.c_str(), &ipv4) == 1) return mappedAddress(ipv4);
    auto address = Ipv6Address::parse(text);
    if (!address.ok()) return invalidArgument("'" + text + "' is neither an IPv6 nor an IPv4 address");
    return address;
}

std::string addressText(const Ipv6Address& address) {
    if (!isIpv4(address)) return address.toString();
    return ipv4Text(address) + (isBehindNat(address) ? " (NAT)" : "");
}

std::string endpointText(const Ipv6Address& address, uint16_t port) {
    return (isIpv4(address) ? ipv4Text(address) : "[" + address.toString() + "]") + ":" + std::to_string(port);
}

}  // namespace homeslice
