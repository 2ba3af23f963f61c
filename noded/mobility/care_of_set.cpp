#include "noded/mobility/care_of_set.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "noded/mobility/programs.h"

namespace homeslice::mobility {
namespace {

uint32_t wireBalance(Balance balance) {
    switch (balance) {
        case Balance::round_robin:
            return HS_BALANCE_TURNS;
        case Balance::least_load:
            return HS_BALANCE_LOAD;
        case Balance::hash:
        case Balance::nearest:  // among those that are near alike
            return HS_BALANCE_HASH;
    }
    return HS_BALANCE_HASH;
}

// Weights in their lowest terms, and rounded where a round would be too long; who has any keeps a turn.
std::vector<uint32_t> turnsOf(std::span<const hs_member> members) {
    uint32_t divisor = 0;
    uint32_t total = 0;
    for (const hs_member& member : members) {
        divisor = std::gcd(divisor, member.weight);
        total += member.weight;
    }
    divisor = std::max(divisor, 1U);
    const uint32_t room = HS_MAX_TURNS - HS_MAX_MEMBERS;
    std::vector<uint32_t> turns;
    for (const hs_member& member : members) {
        const uint32_t exact = member.weight / divisor;
        turns.push_back(total / divisor <= room ? exact : (member.weight * room + total - 1) / total);
    }
    return turns;
}

// One round in which each has its turns, spread as evenly as they go (each turn is for who is owed most).
void schedule(hs_set& set) {
    const std::vector<uint32_t> turns = turnsOf(std::span(set.members, set.count));
    const int64_t round = std::accumulate(turns.begin(), turns.end(), int64_t{0});
    std::vector<int64_t> owed(turns.size(), 0);
    for (; set.turns < round; ++set.turns) {
        for (size_t place = 0; place < turns.size(); ++place) owed[place] += turns[place];
        const auto next = std::max_element(owed.begin(), owed.end());
        *next -= round;
        set.schedule[set.turns] = static_cast<__u8>(next - owed.begin());
    }
}

bool haveEqualWeights(std::span<const hs_member> members) {
    uint32_t weight = 0;
    for (const hs_member& member : members) {
        if (member.weight == 0) continue;
        if (weight != 0 && member.weight != weight) return false;
        weight = member.weight;
    }
    return true;
}

}  // namespace

hs_set makeSet(std::vector<hs_member> members, Balance balance) {
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    if (members.size() > HS_MAX_MEMBERS) members.resize(HS_MAX_MEMBERS);
    hs_set set{};
    set.count = static_cast<__u32>(members.size());
    set.balance = wireBalance(balance);
    set.equal = haveEqualWeights(members);
    std::copy(members.begin(), members.end(), set.members);
    if (set.balance == HS_BALANCE_TURNS) schedule(set);
    return set;
}

Balance balanceOf(const hs_set& set) {
    if (set.balance == HS_BALANCE_TURNS) return Balance::round_robin;
    return set.balance == HS_BALANCE_LOAD ? Balance::least_load : Balance::hash;
}

hs_member wireMember(const CareOf& care_of) {
    return {.care_of = toWire(care_of.address),
            .link = 0,
            .id = care_of.binding_id,
            .weight = care_of.draining ? uint16_t{0} : care_of.weight,
            .report = care_of.report,
            .load = care_of.load};
}

bool isPlain(const CareOfSet& care_of) {
    return care_of.members.size() == 1 && care_of.members[0].binding_id == 0 && !care_of.members[0].draining;
}

}  // namespace homeslice::mobility
