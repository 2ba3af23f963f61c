// The care-of addresses of one home address as the programs want them.
#pragma once

#include <vector>

#include "base/ipv6.h"
#include "noded/mobility/bpf/layout.h"

namespace homeslice::mobility {

// `care_of` is not empty. Each address counts as often as it occurs; of more than HS_MAX_CARE_OF entries the first
// different ones do, once each. The result depends on nothing but the entries, so that all nodes choose alike.
hs_care_of_set makeCareOfSet(const std::vector<Ipv6Address>& care_of);

}  // namespace homeslice::mobility
