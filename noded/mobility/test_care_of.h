// Sets of care-of addresses in short, for tests.
#pragma once

#include <initializer_list>
#include <vector>

#include "noded/mobility/care_of.h"

namespace homeslice::mobility {

// One alone has binding id 0, several have 1, 2 and so on.
inline CareOfSet careOf(std::initializer_list<Ipv6Address> addresses, Balance balance = Balance::hash) {
    CareOfSet set{.members = {}, .balance = balance};
    uint16_t id = addresses.size() == 1 ? 0 : 1;
    for (const Ipv6Address& address : addresses) set.members.push_back({.address = address, .binding_id = id++});
    return set;
}

inline std::vector<Ipv6Address> addressesOf(const CareOfSet& set) {
    std::vector<Ipv6Address> result;
    for (const CareOf& member : set.members) result.push_back(member.address);
    return result;
}

}  // namespace homeslice::mobility
