// Reads the flow records out of their maps.
#pragma once

#include <vector>

#include "noded/mobility/bpf/audit.h"
#include "noded/mobility/bpf_map.h"
#include "noded/mobility/flow_records.h"

namespace homeslice::mobility {

// Those with a packet since `since`. Forgets those without one since `ended_before`, and those that have lasted
// `longest`. A packet between reading and forgetting may go uncounted.
absl::StatusOr<std::vector<FlowRecord>> takeFlowRecords(const BpfMap<hs_audited_key, hs_audited>& map,
                                                        Monotonic::time_point since, Monotonic::time_point ended_before,
                                                        std::chrono::seconds longest);

}  // namespace homeslice::mobility
