// The sets of those who share a home address, in the maps: care-of addresses, and the slivers of this node.
#pragma once

#include <absl/status/status.h>

#include <vector>

#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/programs.h"
#include "spec/balance.h"

namespace homeslice::mobility {

// Threads: one caller at a time. `programs` outlives it.
class SharedSets {
public:
    explicit SharedSets(const Programs& programs) : programs_(programs) {}

    // Replaces the set in one step. Flows that live stay with their members; so do turns and the flows given since a
    // member's last report.
    absl::Status put(const hs_set_key& key, std::vector<hs_member> members, Balance balance) const;
    std::vector<hs_member> members(const hs_set_key& key) const;
    absl::Status erase(const hs_set_key& key) const;

private:
    absl::Status putCounts(const hs_set_key& key, const hs_set& set) const;
    absl::Status putState(const hs_set_key& key, const hs_set& set) const;

    const Programs& programs_;
};

}  // namespace homeslice::mobility
