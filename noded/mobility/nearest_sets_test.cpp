#include "noded/mobility/nearest_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "noded/mobility/test_care_of.h"

namespace homeslice::mobility {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const Ipv6Address kHome = *Ipv6Address::parse("fd51:1ce:0:1::1");
const Ipv6Address kA = *Ipv6Address::parse("fd00:51ce::a");
const Ipv6Address kB = *Ipv6Address::parse("fd00:51ce::b");
const Ipv6Address kC = *Ipv6Address::parse("fd00:51ce::c");

std::vector<Ipv6Address> nearIn(const CareOfSet& set) {
    std::vector<Ipv6Address> result;
    for (const CareOf& member : set.members)
        if (!member.draining) result.push_back(member.address);
    return result;
}

class NearestSetsTest : public ::testing::Test {
protected:
    void share(const CareOfSet& set) { told_ = sets_.set(kHome, set); }
    // What the data plane has after it.
    std::vector<Ipv6Address> near() { return nearIn(told_); }
    bool measure(const Ipv6Address& address, std::optional<microseconds> round_trip) {
        const auto changes = sets_.measured(address, round_trip);
        for (const auto& [home, set] : changes) told_ = set;
        return !changes.empty();
    }

    NearestSets sets_;
    CareOfSet told_;
    CareOfSet three_ = careOf({kA, kB, kC}, Balance::nearest);
};

TEST_F(NearestSetsTest, AllAreNearUntilOneIsMeasured) {
    share(three_);
    EXPECT_THAT(near(), ElementsAre(kA, kB, kC));
    EXPECT_THAT(sets_.addresses(), ElementsAre(kA, kB, kC));
    measure(kB, milliseconds(5));
    EXPECT_THAT(near(), ElementsAre(kB));
}

TEST_F(NearestSetsTest, TheNearestAndThoseAboutAsNearTakeNewFlows) {
    share(three_);
    measure(kA, milliseconds(20));
    measure(kB, milliseconds(24));
    measure(kC, milliseconds(40));
    EXPECT_THAT(near(), ElementsAre(kA, kB));
    EXPECT_EQ(told_.members.size(), 3u) << "the far one keeps its flows";
    EXPECT_EQ(told_.balance, Balance::nearest);
}

TEST_F(NearestSetsTest, NoiseMovesNobody) {
    share(three_);
    measure(kA, milliseconds(20));
    measure(kB, milliseconds(24));
    measure(kC, milliseconds(100));
    for (const int ms : {29, 26, 28, 22, 29}) EXPECT_FALSE(measure(kB, milliseconds(ms))) << ms;
    EXPECT_TRUE(measure(kB, milliseconds(31)));
    EXPECT_THAT(near(), ElementsAre(kA));
    for (const int ms : {29, 26, 28}) EXPECT_FALSE(measure(kB, milliseconds(ms))) << ms;
    EXPECT_TRUE(measure(kB, milliseconds(25)));
    EXPECT_THAT(near(), ElementsAre(kA, kB));
}

TEST_F(NearestSetsTest, OnOneNetworkAllAreAsNear) {
    share(three_);
    measure(kA, microseconds(40));
    measure(kB, microseconds(900));
    measure(kC, microseconds(300));
    EXPECT_THAT(near(), ElementsAre(kA, kB, kC));
}

TEST_F(NearestSetsTest, WhenTheNearestIsGoneTheNextOneIsNearest) {
    share(three_);
    measure(kA, milliseconds(1));
    measure(kB, milliseconds(20));
    measure(kC, milliseconds(60));
    EXPECT_THAT(near(), ElementsAre(kA));
    CareOfSet rest = three_;
    rest.members.erase(rest.members.begin());
    share(rest);
    EXPECT_THAT(near(), ElementsAre(kB));
    measure(kB, std::nullopt);
    EXPECT_THAT(near(), ElementsAre(kC)) << "one that does not answer is as good as gone";
    measure(kB, milliseconds(20));
    EXPECT_THAT(near(), ElementsAre(kB));
}

TEST_F(NearestSetsTest, ADrainingOneIsNotTheNearest) {
    CareOfSet set = three_;
    set.members[0].draining = true;
    share(set);
    measure(kA, milliseconds(1));
    measure(kB, milliseconds(20));
    measure(kC, milliseconds(60));
    EXPECT_THAT(near(), ElementsAre(kB));
    share(three_);
    EXPECT_THAT(near(), ElementsAre(kA));
}

TEST_F(NearestSetsTest, WhereNobodyAnswersAllAreAsNear) {
    share(three_);
    measure(kA, std::nullopt);
    EXPECT_THAT(near(), ElementsAre(kB, kC));
    measure(kB, std::nullopt);
    measure(kC, std::nullopt);
    EXPECT_THAT(near(), ElementsAre(kA, kB, kC));
}

TEST_F(NearestSetsTest, OtherBalancesStayAsTheyAre) {
    share(three_);
    measure(kA, milliseconds(1));
    measure(kB, milliseconds(20));
    const CareOfSet hash = careOf({kA, kB, kC});
    share(hash);
    EXPECT_EQ(told_, hash);
    EXPECT_THAT(sets_.addresses(), IsEmpty());
    EXPECT_FALSE(measure(kA, milliseconds(1)));
    EXPECT_FALSE(sets_.roundTripTo(kA)) << "forgotten with the set";
}

TEST_F(NearestSetsTest, AnAddressServesSeveralSets) {
    const Ipv6Address other = *Ipv6Address::parse("fd51:1ce:0:2::1");
    share(three_);
    sets_.set(other, careOf({kA, kB}, Balance::nearest));
    measure(kA, milliseconds(30));
    const auto changes = sets_.measured(kB, milliseconds(3));
    ASSERT_EQ(changes.size(), 2u);
    for (const auto& [home, set] : changes) EXPECT_THAT(nearIn(set), ElementsAre(kB));
    sets_.set(other, {});
    EXPECT_THAT(sets_.addresses(), UnorderedElementsAre(kA, kB, kC));
}

}  // namespace
}  // namespace homeslice::mobility
