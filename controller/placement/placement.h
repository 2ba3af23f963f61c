// Which node gets which sliver. Pure functions.
//
// Guarantees are never oversold: what the slivers of a node have reserved stays within its processors. Caps may be.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "controller/model/placement_rules.h"

namespace homeslice::controller {

// A node as placement sees it.
struct Candidate {
    std::string name{};
    bool ready = false;
    std::string reason{};  // why it is not ready
    bool home_agent = false;
    bool correspondent = false;
    bool cordoned = false;
    uint32_t slivers = 0;          // placed on it already
    uint32_t cpu_millis = 0;       // thousandths of a CPU that can be reserved in all
    uint32_t reserved_millis = 0;  // and are
    Labels labels{};
    std::vector<std::string> slices{};  // that it has slivers of
    std::string barred{};               // why it is out of the question for this request, a few words; empty: it is not
    std::string held_by{};              // what holds part of reserved_millis ahead of time
};

struct PlacementRequest {
    uint32_t node_count = 0;           // this many nodes, or
    std::vector<std::string> nodes{};  // exactly these, or
    bool all_nodes = false;            // every node that fits; with none of the three: as many as the slivers need
    uint32_t sliver_count = 0;         // 0: one on each node
    PlacementRules rules{};
    uint32_t cpu_reservation_millis = 0;  // of each sliver
};

// Nodes that do not fit, all for one reason.
struct Exclusion {
    std::string reason;
    std::vector<std::string> nodes;
};

struct Place {
    std::string node;
    std::string reason;  // why there
};

struct Plan {
    std::vector<Place> places;  // of sliver 1, 2, ...
    std::vector<Exclusion> exclusions;
};

// Each chosen node gets one sliver, the rest is dealt out: spread, to the values of `spread_over` and then to the nodes
// in equal shares, emptiest first (by what is reserved, then by slivers, then by name); packed, to the fullest that
// has room. Errors: INVALID_ARGUMENT (a malformed request), NOT_FOUND (an unknown node), FAILED_PRECONDITION (a named
// node that does not fit), RESOURCE_EXHAUSTED (not enough nodes fit: says what excludes how many).
absl::StatusOr<Plan> place(const PlacementRequest& request, const std::vector<Candidate>& candidates);

// Why the node cannot take a sliver, a word or two; empty when it can.
std::string misfitOf(const Candidate& candidate, const PlacementRules& rules, uint32_t cpu_reservation_millis);

}  // namespace homeslice::controller
