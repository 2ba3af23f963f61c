// The programs' memory of whose flows are (`flows`), as a home agent shares it.
#pragma once

#include <absl/status/status.h>

#include <vector>

#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/bpf_map.h"
#include "noded/mobility/chosen_flow.h"

namespace homeslice::mobility {

ChosenFlow fromWire(const hs_flow& flow, uint32_t binding_id);

// All to care-of addresses. What begins meanwhile may be among them or not.
std::vector<ChosenFlow> rememberedFlows(const BpfMap<hs_flow, hs_chosen>& map);

// `earlier`: what the map has of the flow is newer.
absl::Status rememberFlow(const BpfMap<hs_flow, hs_chosen>& map, const ChosenFlow& flow, bool earlier);

}  // namespace homeslice::mobility
