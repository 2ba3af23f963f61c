// Home addresses: a slice has a number, the number a /64 of the home prefix. Pure functions.
//
// The slice's own address is ::1 in its /64, that of sliver n is ::1:n (interface identifier 0x10000 + n).
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <set>

#include "base/ipv6.h"

namespace homeslice::controller {

// INVALID_ARGUMENT unless `prefix` has room for slices, but not for more than 2^32: /32 to /63.
absl::Status checkHomePrefix(const Ipv6Prefix& prefix);

// The number of the next slice: the first free one after `last`, wrapping around; 0 is never given out. An address is
// thereby reused as late as possible. RESOURCE_EXHAUSTED when all are in use.
absl::StatusOr<uint32_t> nextSliceNumber(const Ipv6Prefix& home_prefix, uint32_t last,
                                         const std::set<uint32_t>& in_use);

// `number` must come from nextSliceNumber() with the same prefix.
Ipv6Prefix slicePrefix(const Ipv6Prefix& home_prefix, uint32_t number);
Ipv6Address sliceAddress(const Ipv6Prefix& home_prefix, uint32_t number);
Ipv6Address sliverAddress(const Ipv6Prefix& home_prefix, uint32_t number, uint32_t index);

// The reverse: whose address it is. `index` 0 is the slice's own. Nothing for any other address.
struct HomeAddressOwner {
    uint32_t number = 0;
    uint32_t index = 0;
};
std::optional<HomeAddressOwner> ownerOf(const Ipv6Prefix& home_prefix, const Ipv6Address& address);

}  // namespace homeslice::controller
