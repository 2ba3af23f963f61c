#include "noded/mobility/care_of_set.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "noded/mobility/bpf/rendezvous.h"
#include "noded/mobility/test_care_of.h"

namespace homeslice::mobility {
namespace {

using ::testing::ElementsAre;

constexpr uint32_t kFlows = 100'000;

std::vector<hs_member> membersOf(const std::vector<uint16_t>& weights) {
    std::vector<hs_member> members;
    for (const uint16_t weight : weights)
        members.push_back(
            {.care_of = {}, .link = 0, .id = uint32_t(members.size() + 1), .weight = weight, .report = 0, .load = 0});
    return members;
}

std::vector<unsigned> scheduleOf(const hs_set& set) { return {set.schedule, set.schedule + set.turns}; }

// Whose a new flow is, reckoned apart from the programs.
uint32_t ownerOf(uint32_t flow, const std::vector<hs_member>& members) {
    const uint32_t hash = mix(flow, 1);
    const auto cost = [&](const hs_member& member) {
        return double(minusLog2(drawOf(hash, member.id))) / member.weight;
    };
    return std::min_element(members.begin(), members.end(),
                            [&](const auto& a, const auto& b) { return cost(a) < cost(b); })
        ->id;
}

TEST(CareOfSetTest, MembersAreInTheOrderOfTheirBindingIds) {
    std::vector<hs_member> members = membersOf({1, 1, 1});
    std::swap(members[0], members[2]);
    const hs_set set = makeSet(members, Balance::hash);
    ASSERT_EQ(set.count, 3u);
    EXPECT_EQ(set.members[0].id, 1u);
    EXPECT_EQ(set.members[2].id, 3u);
}

TEST(CareOfSetTest, TooManyMembersAreLeftOut) {
    const hs_set set = makeSet(membersOf(std::vector<uint16_t>(1000, 1)), Balance::round_robin);
    EXPECT_EQ(set.count, static_cast<uint32_t>(HS_MAX_MEMBERS));
    EXPECT_EQ(set.turns, static_cast<uint32_t>(HS_MAX_MEMBERS));
}

TEST(CareOfSetTest, TurnsAreSpreadEvenly) {
    EXPECT_THAT(scheduleOf(makeSet(membersOf({1, 1, 1}), Balance::round_robin)), ElementsAre(0, 1, 2));
    EXPECT_THAT(scheduleOf(makeSet(membersOf({200, 0, 100}), Balance::round_robin)), ElementsAre(0, 2, 0));
    EXPECT_THAT(scheduleOf(makeSet(membersOf({5, 1, 1}), Balance::round_robin)), ElementsAre(0, 0, 1, 0, 2, 0, 0));
}

TEST(CareOfSetTest, LongRoundsAreRoundedButLeaveNobodyOut) {
    const hs_set set = makeSet(membersOf({1000, 999, 1}), Balance::round_robin);
    const auto turns = scheduleOf(set);
    EXPECT_LE(turns.size(), size_t{HS_MAX_TURNS});
    EXPECT_EQ(std::count(turns.begin(), turns.end(), 2U), 1);
    EXPECT_LE(std::abs(std::count(turns.begin(), turns.end(), 0U) - std::count(turns.begin(), turns.end(), 1U)), 1);
    const hs_set full = makeSet(membersOf(std::vector<uint16_t>(HS_MAX_MEMBERS, 997)), Balance::round_robin);
    EXPECT_EQ(full.turns, static_cast<uint32_t>(HS_MAX_MEMBERS));
    std::vector<uint16_t> uneven(HS_MAX_MEMBERS);
    std::iota(uneven.begin(), uneven.end(), 700);
    EXPECT_LE(makeSet(membersOf(uneven), Balance::round_robin).turns, static_cast<uint32_t>(HS_MAX_TURNS));
}

TEST(CareOfSetTest, DrainingMembersWeighNothing) {
    EXPECT_EQ(wireMember({.address = {}, .binding_id = 4, .weight = 7, .draining = true}).weight, 0);
    EXPECT_TRUE(isPlain(careOf({Ipv6Address()})));
    EXPECT_FALSE(isPlain({.members = {{.address = {}, .binding_id = 1}}}));
    EXPECT_FALSE(isPlain({.members = {{.address = {}, .draining = true}}}));
}

TEST(RendezvousTest, LogarithmIsExact) {
    EXPECT_EQ(minusLog2(0xffffffff), 0u);
    EXPECT_EQ(minusLog2(0), 32u << HS_LOG_FRACTION);
    EXPECT_EQ(minusLog2((1U << 31) - 1), 1u << HS_LOG_FRACTION);
    for (uint32_t draw = 12345; draw < 0xf0000000; draw += 0x01234567)
        EXPECT_NEAR(minusLog2(draw) / double(1 << HS_LOG_FRACTION), 32 - std::log2(double(draw) + 1), 1e-6) << draw;
}

TEST(RendezvousTest, SharesFollowTheWeights) {
    const std::vector<hs_member> members = membersOf({1, 2, 5});
    std::vector<double> share(4, 0);
    for (uint32_t flow = 0; flow < kFlows; ++flow) share[ownerOf(flow, members)] += 1.0 / kFlows;
    EXPECT_NEAR(share[1], 1.0 / 8, 0.01);
    EXPECT_NEAR(share[2], 2.0 / 8, 0.01);
    EXPECT_NEAR(share[3], 5.0 / 8, 0.01);
}

// One that comes takes its own share, and one that goes leaves its own: nothing moves between the others.
TEST(RendezvousTest, ChangeMovesOneShareOfTheNewFlows) {
    for (const size_t n : {2u, 3u, 10u, 64u}) {
        const std::vector<hs_member> fewer = membersOf(std::vector<uint16_t>(n - 1, 1));
        const std::vector<hs_member> all = membersOf(std::vector<uint16_t>(n, 1));
        uint32_t moved = 0;
        for (uint32_t flow = 0; flow < kFlows; ++flow) {
            const uint32_t with = ownerOf(flow, all);
            const uint32_t without = ownerOf(flow, fewer);
            if (with == without) continue;
            ++moved;
            EXPECT_EQ(with, n) << "moved between two that were there before and after";
        }
        EXPECT_LE(moved, 1.2 / double(n) * kFlows) << n;
        EXPECT_GE(moved, 0.8 / double(n) * kFlows) << n;
    }
}

}  // namespace
}  // namespace homeslice::mobility
