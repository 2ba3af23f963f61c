// Which node gets which sliver. Pure functions.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace homeslice::controller {

// A node as placement sees it.
struct Candidate {
    std::string name;
    bool ready = false;
    std::string reason;  // why it is not ready
    bool home_agent = false;
    uint32_t slivers = 0;  // placed on it already
};

struct PlacementRequest {
    uint32_t node_count = 0;         // this many ready nodes, or
    std::vector<std::string> nodes;  // exactly these
    uint32_t sliver_count = 0;       // 0: one each
};

// The node of sliver 1, 2, ...: every chosen node gets one, the rest is dealt out in turn, least loaded node first
// (ties by name). Errors: INVALID_ARGUMENT (a malformed request), NOT_FOUND (an unknown node), FAILED_PRECONDITION (a
// named node that is not ready or is a home agent), RESOURCE_EXHAUSTED (fewer ready nodes than asked for).
absl::StatusOr<std::vector<std::string>> place(const PlacementRequest& request,
                                               const std::vector<Candidate>& candidates);

// OK when `candidate` can take slivers, else FAILED_PRECONDITION with the reason.
absl::Status checkTakesSlivers(const Candidate& candidate);

}  // namespace homeslice::controller
