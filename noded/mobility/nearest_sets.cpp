#include "noded/mobility/nearest_sets.h"

#include <algorithm>

namespace homeslice::mobility {
namespace {

using RoundTrip = NearestSets::RoundTrip;

// About as near as the nearest: within a quarter, or what a switch or a busy processor makes of a local network.
constexpr RoundTrip kSlackToEnter{1000};
constexpr RoundTrip kSlackToStay{2000};

RoundTrip farthest(RoundTrip least, bool is_near) {
    return least + (is_near ? std::max(least / 2, kSlackToStay) : std::max(least / 4, kSlackToEnter));
}

std::set<Ipv6Address> candidatesOf(const CareOfSet& set) {
    std::set<Ipv6Address> result;
    for (const CareOf& member : set.members)
        if (!member.draining) result.insert(member.address);
    return result;
}

CareOfSet onlyNear(CareOfSet set, const std::set<Ipv6Address>& near) {
    for (CareOf& member : set.members) member.draining = member.draining || !near.contains(member.address);
    return set;
}

}  // namespace

CareOfSet NearestSets::set(const Ipv6Address& home_address, const CareOfSet& care_of) {
    if (care_of.balance != Balance::nearest || care_of.members.empty()) {
        forget(home_address);
        return care_of;
    }
    const std::set<Ipv6Address> near = sets_[home_address].near;
    forget(home_address);
    for (const CareOf& member : care_of.members) homes_[member.address].insert(home_address);
    Entry& entry = sets_[home_address];
    entry = {.whole = care_of, .near = near};
    entry.near = nearOf(entry);
    return onlyNear(care_of, entry.near);
}

void NearestSets::forget(const Ipv6Address& home_address) {
    const auto found = sets_.find(home_address);
    if (found == sets_.end()) return;
    for (const CareOf& member : found->second.whole.members) {
        const auto homes = homes_.find(member.address);
        if (homes == homes_.end()) continue;
        homes->second.erase(home_address);
        if (homes->second.empty()) homes_.erase(homes);
    }
    sets_.erase(found);
}

std::vector<Ipv6Address> NearestSets::addresses() {
    std::erase_if(round_trips_, [this](const auto& item) { return !homes_.contains(item.first); });
    std::vector<Ipv6Address> result;
    result.reserve(homes_.size());
    for (const auto& [address, homes] : homes_) result.push_back(address);
    return result;
}

std::vector<NearestSets::Change> NearestSets::measured(const Ipv6Address& care_of_address,
                                                       std::optional<RoundTrip> round_trip) {
    const auto homes = homes_.find(care_of_address);
    if (homes == homes_.end()) return {};
    round_trips_[care_of_address] = round_trip;
    std::vector<Change> changes;
    for (const Ipv6Address& home_address : homes->second) {
        Entry& entry = sets_.at(home_address);
        std::set<Ipv6Address> near = nearOf(entry);
        if (near == entry.near) continue;
        entry.near = std::move(near);
        changes.emplace_back(home_address, onlyNear(entry.whole, entry.near));
    }
    return changes;
}

std::optional<RoundTrip> NearestSets::roundTripTo(const Ipv6Address& care_of_address) const {
    const auto found = round_trips_.find(care_of_address);
    return found == round_trips_.end() ? std::nullopt : found->second;
}

std::set<Ipv6Address> NearestSets::nearOf(const Entry& entry) const {
    const std::set<Ipv6Address> candidates = candidatesOf(entry.whole);
    const std::optional<RoundTrip> least = leastOf(candidates);
    if (!least) return answering(candidates);
    std::set<Ipv6Address> near;
    for (const Ipv6Address& candidate : candidates) {
        const std::optional<RoundTrip> distance = roundTripTo(candidate);
        if (distance && *distance <= farthest(*least, entry.near.contains(candidate))) near.insert(candidate);
    }
    return near;
}

std::optional<RoundTrip> NearestSets::leastOf(const std::set<Ipv6Address>& candidates) const {
    std::optional<RoundTrip> least;
    for (const Ipv6Address& candidate : candidates) {
        const std::optional<RoundTrip> distance = roundTripTo(candidate);
        if (distance && (!least || *distance < *least)) least = distance;
    }
    return least;
}

// Those that may yet answer. Where echoes are filtered nobody does, and all are as good.
std::set<Ipv6Address> NearestSets::answering(const std::set<Ipv6Address>& candidates) const {
    std::set<Ipv6Address> result = candidates;
    std::erase_if(result, [this](const Ipv6Address& candidate) { return round_trips_.contains(candidate); });
    return result.empty() ? candidates : result;
}

}  // namespace homeslice::mobility
