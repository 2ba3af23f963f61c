#include "controller/addresses/addresses.h"

#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr uint64_t kSliceInterfaceId = 1;
constexpr uint64_t kSliverInterfaceIdBase = 0x10000;
constexpr uint8_t kSlicePrefixLength = 64;

uint64_t highestNumber(const Ipv6Prefix& home_prefix) {
    return (uint64_t{1} << (kSlicePrefixLength - home_prefix.length())) - 1;
}

// The high 64 bits, host byte order.
uint64_t networkOf(const Ipv6Address& address) {
    uint64_t network = 0;
    for (size_t i = 0; i < 8; ++i) network = network << 8 | address.bytes()[i];
    return network;
}

}  // namespace

absl::Status checkHomePrefix(const Ipv6Prefix& prefix) {
    if (prefix.length() < 32 || prefix.length() > 63) {
        return invalidArgument("home prefix " + prefix.toString() + ": use a length from /32 to /63");
    }
    if (prefix.address().isMulticast() || prefix.address().isLinkLocal()) {
        return invalidArgument("home prefix " + prefix.toString() + " is not unicast with global scope");
    }
    return absl::OkStatus();
}

absl::StatusOr<uint32_t> nextSliceNumber(const Ipv6Prefix& home_prefix, uint32_t last,
                                         const std::set<uint32_t>& in_use) {
    const uint64_t highest = highestNumber(home_prefix);
    uint64_t number = last;
    // One more than are in use must hold a free one, if there is any.
    for (uint64_t tries = 0; tries <= in_use.size() && tries < highest; ++tries) {
        number = number >= highest ? 1 : number + 1;
        const auto candidate = static_cast<uint32_t>(number);
        if (in_use.count(candidate) == 0) return candidate;
    }
    return resourceExhausted("no /64 of the home prefix " + home_prefix.toString() + " is free");
}

Ipv6Prefix slicePrefix(const Ipv6Prefix& home_prefix, uint32_t number) {
    return home_prefix.subnet(number, kSlicePrefixLength).value_or(Ipv6Prefix());
}

Ipv6Address sliceAddress(const Ipv6Prefix& home_prefix, uint32_t number) {
    return slicePrefix(home_prefix, number).address().withInterfaceId(kSliceInterfaceId);
}

Ipv6Address sliverAddress(const Ipv6Prefix& home_prefix, uint32_t number, uint32_t index) {
    return slicePrefix(home_prefix, number).address().withInterfaceId(kSliverInterfaceIdBase + index);
}

std::optional<HomeAddressOwner> ownerOf(const Ipv6Prefix& home_prefix, const Ipv6Address& address) {
    if (!home_prefix.contains(address)) return std::nullopt;
    const auto number = static_cast<uint32_t>(networkOf(address) & highestNumber(home_prefix));
    const uint64_t id = address.interfaceId();
    if (id == kSliceInterfaceId) return HomeAddressOwner{number, 0};
    if (id <= kSliverInterfaceIdBase || id > kSliverInterfaceIdBase + 0xffff) return std::nullopt;
    return HomeAddressOwner{number, static_cast<uint32_t>(id - kSliverInterfaceIdBase)};
}

}  // namespace homeslice::controller
