#include "noded/mobility/care_of_set.h"

#include <gtest/gtest.h>

#include "noded/mobility/test_care_of.h"

namespace homeslice::mobility {
namespace {

Ipv6Address node(uint64_t n) { return Ipv6Address::parse("fd00:51ce::")->withInterfaceId(n); }

TEST(CareOfSetTest, MembersAreToldApartByBindingId) {
    const hs_care_of_set set = makeCareOfSet(careOf({node(1), node(2), node(1)}));
    ASSERT_EQ(set.count, 3u);
    EXPECT_NE(set.members[0].seed, set.members[2].seed);
    EXPECT_EQ(set.members[0].seed, makeCareOfSet(careOf({node(4), node(5)})).members[0].seed);
}

TEST(CareOfSetTest, TooManyMembersAreLeftOut) {
    CareOfSet many;
    for (uint16_t i = 0; i < 2 * HS_MAX_CARE_OF; ++i) many.members.push_back({.address = node(i), .binding_id = i});
    EXPECT_EQ(makeCareOfSet(many).count, static_cast<uint32_t>(HS_MAX_CARE_OF));
}

}  // namespace
}  // namespace homeslice::mobility
