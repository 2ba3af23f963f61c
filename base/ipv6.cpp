#include "base/ipv6.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <string_view>

#include "base/status.h"

namespace homeslice {

Ipv6Address::Ipv6Address(const in6_addr& address) { std::memcpy(bytes_.data(), address.s6_addr, bytes_.size()); }

absl::StatusOr<Ipv6Address> Ipv6Address::parse(const std::string& text) {
    in6_addr address{};
    if (inet_pton(AF_INET6, text.c_str(), &address) != 1) {
        return invalidArgument("'" + text + "' is not an IPv6 address");
    }
    return Ipv6Address(address);
}

absl::StatusOr<Ipv6Address> Ipv6Address::fromBytes(const std::string& raw) {
    Ipv6Address address;
    if (raw.size() != address.bytes_.size()) {
        return invalidArgument("an IPv6 address has 16 bytes, this one " + std::to_string(raw.size()));
    }
    std::memcpy(address.bytes_.data(), raw.data(), raw.size());
    return address;
}

std::string Ipv6Address::toString() const {
    char text[INET6_ADDRSTRLEN];
    return inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
}

std::string Ipv6Address::toBytes() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

in6_addr Ipv6Address::toIn6() const {
    in6_addr address{};
    std::memcpy(address.s6_addr, bytes_.data(), bytes_.size());
    return address;
}

bool Ipv6Address::isUnspecified() const { return bytes_ == std::array<uint8_t, 16>{}; }

uint64_t Ipv6Address::interfaceId() const {
    uint64_t id = 0;
    for (size_t i = 8; i < 16; ++i) id = id << 8 | bytes_[i];
    return id;
}

Ipv6Address Ipv6Address::withInterfaceId(uint64_t id) const {
    Ipv6Address result = *this;
    for (size_t i = 16; i-- > 8; id >>= 8) result.bytes_[i] = static_cast<uint8_t>(id & 0xff);
    return result;
}

Ipv6Prefix::Ipv6Prefix(const Ipv6Address& address, uint8_t length) : length_(length) {
    std::array<uint8_t, 16> bytes = address.bytes();
    for (size_t i = 0; i < bytes.size(); ++i) {
        const int kept = static_cast<int>(length) - static_cast<int>(i * 8);
        if (kept <= 0) {
            bytes[i] = 0;
        } else if (kept < 8) {
            bytes[i] = static_cast<uint8_t>(bytes[i] & (0xff << (8 - kept)));
        }
    }
    address_ = Ipv6Address(bytes);
}

absl::StatusOr<Ipv6Prefix> Ipv6Prefix::parse(const std::string& text) {
    const auto bad = [&text](const std::string& why) {
        return invalidArgument("'" + text + "' is not an IPv6 prefix: " + why);
    };
    const size_t slash = text.find('/');
    if (slash == std::string::npos) return bad("it has no /length");
    const auto address = Ipv6Address::parse(text.substr(0, slash));
    if (!address.ok()) return bad("its address is malformed");
    const std::string_view digits = std::string_view(text).substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc() || end != digits.data() + digits.size() || length > 128) {
        return bad("its length is not a number from 0 to 128");
    }
    Ipv6Prefix prefix(*address, static_cast<uint8_t>(length));
    if (prefix.address_ != *address) return bad("bits behind its length are set");
    return prefix;
}

bool Ipv6Prefix::contains(const Ipv6Address& address) const {
    return Ipv6Prefix(address, length_).address_ == address_;
}

absl::StatusOr<Ipv6Prefix> Ipv6Prefix::subnet(uint64_t n, uint8_t length) const {
    const int bits = static_cast<int>(length) - static_cast<int>(length_);
    if (bits < 0 || length > 128 || (bits < 64 && (n >> bits) != 0)) {
        return invalidArgument("subnet " + std::to_string(n) + " of length " + std::to_string(length) +
                               " does not fit into " + toString());
    }
    std::array<uint8_t, 16> bytes = address_.bytes();
    for (int bit = 0; bit < bits && bit < 64; ++bit) {
        const int position = length - 1 - bit;
        if ((n >> bit & 1U) != 0) {
            bytes[static_cast<size_t>(position / 8)] |= static_cast<uint8_t>(0x80U >> (position % 8));
        }
    }
    return Ipv6Prefix(Ipv6Address(bytes), length);
}

std::string Ipv6Prefix::toString() const { return address_.toString() + "/" + std::to_string(length_); }

}  // namespace homeslice

size_t std::hash<homeslice::Ipv6Address>::operator()(const homeslice::Ipv6Address& address) const noexcept {
    const auto& bytes = address.bytes();
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}
