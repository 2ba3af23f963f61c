// Those who share a home address, as the programs want them.
#pragma once

#include <vector>

#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/care_of.h"

namespace homeslice::mobility {

// Of more than HS_MAX_MEMBERS the ones with the least ids count. The result depends on nothing but the members, so that
// all nodes choose alike.
hs_set makeSet(std::vector<hs_member> members, Balance balance);

Balance balanceOf(const hs_set& set);
hs_member wireMember(const CareOf& care_of);

// One care-of address that nobody shares: the programs need no set, and remember no flow.
bool isPlain(const CareOfSet& care_of);

}  // namespace homeslice::mobility
