#include "noded/mobility/raw_name.h"

#include <cstring>
#include <utility>

#include "base/ipv4.h"

namespace homeslice::mobility {

RawName::RawName(const Ipv6Address& address) : is_ipv4_(isIpv4(address)) {
    if (is_ipv4_) {
        ipv4_.sin_family = AF_INET;
        ipv4_.sin_addr = toIn4(address);
    } else {
        ipv6_.sin6_family = AF_INET6;
        ipv6_.sin6_addr = address.toIn6();
    }
}

RawMessage rawMessageOf(const sockaddr_storage& from, std::string text) {
    if (from.ss_family == AF_INET6) {
        sockaddr_in6 name{};
        std::memcpy(&name, &from, sizeof name);
        return {Ipv6Address(name.sin6_addr), std::move(text)};
    }
    constexpr size_t kWord = 4;
    const size_t header = text.empty() ? 0 : (static_cast<uint8_t>(text[0]) & 0x0fU) * kWord;
    sockaddr_in name{};
    std::memcpy(&name, &from, sizeof name);
    return {mappedAddress(name.sin_addr), text.size() < header ? "" : text.substr(header)};
}

}  // namespace homeslice::mobility
