#include "noded/mobility/shared_sets.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/status.h"
#include "noded/mobility/care_of_set.h"

namespace homeslice::mobility {

absl::Status SharedSets::put(const hs_set_key& key, std::vector<hs_member> members, Balance balance) const {
    const hs_set set = makeSet(std::move(members), balance);
    HS_RETURN_IF_ERROR(putState(key, set));
    if (key.scope == HS_SCOPE_CARE_OF) HS_RETURN_IF_ERROR(putCounts(key, set));
    return programs_.sets().put(key, set);
}

absl::Status SharedSets::putCounts(const hs_set_key& key, const hs_set& set) const {
    const std::span members(set.members, set.count);
    for (const hs_member& member : members)
        HS_RETURN_IF_ERROR(programs_.sharedCounts().putIfAbsent({key.home_address, member.id}, {}));
    for (const hs_member& before : this->members(key)) {
        const bool stays =
            std::any_of(members.begin(), members.end(), [&](const auto& m) { return m.id == before.id; });
        if (!stays) HS_RETURN_IF_ERROR(programs_.sharedCounts().erase({key.home_address, before.id}));
    }
    return absl::OkStatus();
}

// Before the set that needs it. What the programs count meanwhile is lost, a few flows at most.
absl::Status SharedSets::putState(const hs_set_key& key, const hs_set& set) const {
    if (set.balance == HS_BALANCE_HASH) return programs_.setStates().erase(key);
    if (set.balance == HS_BALANCE_TURNS) return programs_.setStates().putIfAbsent(key, {});
    hs_set_state state{};
    const hs_set_state before = programs_.setStates().get(key).value_or(hs_set_state{});
    const std::vector<hs_member> old = this->members(key);
    for (size_t place = 0; place < set.count; ++place) {
        const hs_member& member = set.members[place];
        const auto known = std::find_if(old.begin(), old.end(), [&](const auto& other) {
            return other.id == member.id && other.report == member.report;
        });
        if (known != old.end()) state.given[place] = before.given[known - old.begin()];
    }
    return programs_.setStates().put(key, state);
}

std::vector<hs_member> SharedSets::members(const hs_set_key& key) const {
    const auto set = programs_.sets().get(key);
    if (!set) return {};
    const std::span members(set->members, set->count);
    return {members.begin(), members.end()};
}

absl::Status SharedSets::erase(const hs_set_key& key) const {
    for (const hs_member& member : key.scope == HS_SCOPE_CARE_OF ? members(key) : std::vector<hs_member>())
        HS_RETURN_IF_ERROR(programs_.sharedCounts().erase({key.home_address, member.id}));
    HS_RETURN_IF_ERROR(programs_.sets().erase(key));
    return programs_.setStates().erase(key);
}

}  // namespace homeslice::mobility
