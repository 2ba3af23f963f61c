#include "noded/mobility/binding_error_message.h"

namespace homeslice::mobility {
namespace {

constexpr size_t kFixedBytes = 8;  // up to the home address
constexpr size_t kSize = kFixedBytes + 16;
constexpr char kNoNextHeader = 59;
constexpr char kLength = kSize / 8 - 1;  // in units of 8 octets, without the first
constexpr char kBindingErrorType = 7;
constexpr char kUnknownBinding = 1;
constexpr size_t kTypeAt = 2;
constexpr size_t kStatusAt = 6;

}  // namespace

std::string encodeBindingError(const Ipv6Address& home_address) {
    // Payload protocol, header length, type, reserved, checksum, status, reserved, home address.
    const std::string fixed{kNoNextHeader, kLength, kBindingErrorType, 0, 0, 0, kUnknownBinding, 0};
    return fixed + home_address.toBytes();
}

std::optional<Ipv6Address> decodeBindingError(const std::string& message) {
    if (message.size() != kSize || message[0] != kNoNextHeader || message[1] != kLength) return std::nullopt;
    if (message[kTypeAt] != kBindingErrorType || message[kStatusAt] != kUnknownBinding) return std::nullopt;
    const auto address = Ipv6Address::fromBytes(message.substr(kFixedBytes));
    return address.ok() ? std::optional<Ipv6Address>(*address) : std::nullopt;
}

}  // namespace homeslice::mobility
