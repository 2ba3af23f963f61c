#include "noded/mobility/care_of_set.h"

#include <gtest/gtest.h>

#include <set>

namespace homeslice::mobility {
namespace {

Ipv6Address node(uint64_t n) { return Ipv6Address::parse("fd00:51ce::")->withInterfaceId(n); }

TEST(CareOfSetTest, RepeatedAddressesHaveSeedsOfTheirOwn) {
    const hs_care_of_set set = makeCareOfSet({node(1), node(2), node(1)});
    ASSERT_EQ(set.count, 3u);
    EXPECT_NE(set.members[0].seed, set.members[2].seed);
    EXPECT_EQ(set.members[0].seed, makeCareOfSet({node(1)}).members[0].seed);
}

TEST(CareOfSetTest, TooManyEntriesCountOnceEach) {
    std::vector<Ipv6Address> many;
    for (uint64_t i = 0; i < 100; ++i) many.push_back(node(i % 10));
    EXPECT_EQ(makeCareOfSet(many).count, 10u);
    for (uint64_t i = 0; i < 100; ++i) many.push_back(node(i));
    EXPECT_EQ(makeCareOfSet(many).count, static_cast<uint32_t>(HS_MAX_CARE_OF));
}

}  // namespace
}  // namespace homeslice::mobility
