#include "noded/mobility/binding.h"

#include <algorithm>
#include <limits>

namespace homeslice::mobility {

const char* nameOf(BindingStatus status) {
    switch (status) {
        case BindingStatus::accepted:
            return "Binding Update accepted";
        case BindingStatus::reason_unspecified:
            return "Reason unspecified";
        case BindingStatus::administratively_prohibited:
            return "Administratively prohibited";
        case BindingStatus::insufficient_resources:
            return "Insufficient resources";
        case BindingStatus::not_home_subnet:
            return "Not home subnet";
        case BindingStatus::not_home_agent_for_this_mobile_node:
            return "Not home agent for this mobile node";
        case BindingStatus::duplicate_address_detection_failed:
            return "Duplicate Address Detection failed";
        case BindingStatus::sequence_out_of_window:
            return "Sequence number out of window";
        case BindingStatus::generation_stale:
            return "Generation stale";
    }
    return "unknown status";
}

CareOfSet careOfAddresses(const std::vector<Binding>& bindings) {
    uint8_t preferred = std::numeric_limits<uint8_t>::max();
    for (const Binding& binding : bindings)
        if (!binding.terms.draining) preferred = std::min(preferred, binding.terms.priority);
    CareOfSet result;
    for (const Binding& binding : bindings)
        result.members.push_back({.address = binding.care_of_address,
                                  .binding_id = binding.key.binding_id,
                                  .weight = binding.terms.weight,
                                  .draining = binding.terms.draining || binding.terms.priority != preferred,
                                  .load = binding.terms.load,
                                  .report = binding.sequence});
    // While it is being changed they differ; any will do that all home agents choose alike.
    if (!bindings.empty()) result.balance = bindings.front().terms.balance;
    return result;
}

}  // namespace homeslice::mobility
