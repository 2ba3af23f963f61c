// The care-of addresses of one home address as the programs want them.
#pragma once

#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/care_of.h"

namespace homeslice::mobility {

// `care_of` has members; of more than HS_MAX_CARE_OF the first ones count. The result depends on nothing but the
// members, so that all nodes choose alike.
hs_care_of_set makeCareOfSet(const CareOfSet& care_of);

}  // namespace homeslice::mobility
