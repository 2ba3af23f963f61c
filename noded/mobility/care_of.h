// Where the packets for a home address go: one care-of address, or several that share its flows.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ipv6.h"
#include "spec/balance.h"

namespace homeslice::mobility {

// One of the places. Who it is says the binding id, not the address: the flows of a sliver follow it when it moves.
struct CareOf {
    Ipv6Address address;
    uint16_t binding_id = 0;  // RFC 5648; 0: the address belongs to one sliver alone
    uint16_t weight = kDefaultWeight;
    bool draining = false;  // takes no new flow, goes on with those that it has
    uint32_t load = 0;      // connections that it has open, as it says itself
    uint16_t report = 0;    // differs from word to word of it: with a new one it is asked again what it has

    bool operator==(const CareOf&) const = default;
};

struct CareOfSet {
    std::vector<CareOf> members;  // in the order of their binding ids; empty: unbound
    Balance balance = Balance::hash;

    bool operator==(const CareOfSet&) const = default;
};

}  // namespace homeslice::mobility
