// IPv6 addresses and prefixes as values (RFC 4291; text form after RFC 5952). Network byte order throughout.
#pragma once

#include <absl/status/statusor.h>
#include <netinet/in.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace homeslice {

class Ipv6Address {
public:
    Ipv6Address() = default;
    explicit Ipv6Address(const std::array<uint8_t, 16>& bytes) : bytes_(bytes) {}
    explicit Ipv6Address(const in6_addr& address);

    // INVALID_ARGUMENT unless `text` is an IPv6 address without zone or prefix length.
    static absl::StatusOr<Ipv6Address> parse(const std::string& text);
    // From the 16 raw bytes of the wire or the API; INVALID_ARGUMENT on another size.
    static absl::StatusOr<Ipv6Address> fromBytes(const std::string& raw);

    std::string toString() const;
    std::string toBytes() const;
    in6_addr toIn6() const;
    const std::array<uint8_t, 16>& bytes() const { return bytes_; }
    // True for "::", which stands for "no address".
    bool isUnspecified() const;
    bool isMulticast() const { return bytes_[0] == 0xff; }
    bool isLinkLocal() const { return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80; }
    // The low 64 bits (interface identifier), host byte order; and this address with other low 64 bits.
    uint64_t interfaceId() const;
    Ipv6Address withInterfaceId(uint64_t id) const;

    auto operator<=>(const Ipv6Address&) const = default;

private:
    std::array<uint8_t, 16> bytes_{};
};

class Ipv6Prefix {
public:
    Ipv6Prefix() = default;
    // Host bits are cleared; `length` is 0 to 128.
    Ipv6Prefix(const Ipv6Address& address, uint8_t length);

    // "fd51:1ce::/48"; INVALID_ARGUMENT when malformed or when host bits are set.
    static absl::StatusOr<Ipv6Prefix> parse(const std::string& text);

    const Ipv6Address& address() const { return address_; }
    uint8_t length() const { return length_; }
    bool contains(const Ipv6Address& address) const;
    // Subnet number `n` of length `length`; INVALID_ARGUMENT when it does not fit.
    absl::StatusOr<Ipv6Prefix> subnet(uint64_t n, uint8_t length) const;
    std::string toString() const;

    auto operator<=>(const Ipv6Prefix&) const = default;

private:
    Ipv6Address address_;
    uint8_t length_ = 0;
};

}  // namespace homeslice

template <>
struct std::hash<homeslice::Ipv6Address> {
    size_t operator()(const homeslice::Ipv6Address& address) const noexcept;
};
