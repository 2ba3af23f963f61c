#include "noded/mobility/binding_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "noded/mobility/test_care_of.h"

namespace homeslice::mobility {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Ipv6Address kHome = *Ipv6Address::parse("fd51:1ce:0:1::1:1");
const Ipv6Address kNode1 = *Ipv6Address::parse("fd00:51ce::1");
const Ipv6Address kNode2 = *Ipv6Address::parse("fd00:51ce::2");

BindingUpdate updateOf(const Ipv6Address& care_of, uint16_t sequence, uint64_t generation, uint32_t lifetime_s = 40,
                       uint16_t binding_id = 0) {
    return {.key = {.home_address = kHome, .binding_id = binding_id},
            .care_of_address = care_of,
            .sequence = sequence,
            .generation = generation,
            .lifetime_s = lifetime_s};
}

class BindingCacheTest : public ::testing::Test {
protected:
    BindingCache::Outcome apply(const BindingUpdate& update) { return cache_.apply(update, now_, Utc::now()); }
    BindingStatus statusOf(const BindingUpdate& update) { return apply(update).acknowledgement.status; }

    BindingCache cache_{{.max_lifetime_s = 60, .max_bindings = 3}};
    Monotonic::time_point now_{seconds(1000)};
};

TEST_F(BindingCacheTest, GrantsAtMostItsOwnLifetime) {
    const auto outcome = apply(updateOf(kNode1, 1, 1, 262140));
    EXPECT_EQ(outcome.acknowledgement.status, BindingStatus::accepted);
    EXPECT_EQ(outcome.acknowledgement.lifetime_s, 60u);
    EXPECT_EQ(outcome.acknowledgement.refresh_s, 30u);
    EXPECT_TRUE(outcome.changed);
    EXPECT_THAT(addressesOf(cache_.careOf(kHome)), ElementsAre(kNode1));
}

TEST_F(BindingCacheTest, RefreshIsNoChangeAndMovesTheEnd) {
    apply(updateOf(kNode1, 1, 1));
    now_ += seconds(30);
    EXPECT_FALSE(apply(updateOf(kNode1, 2, 1)).changed);
    now_ += seconds(30);
    EXPECT_THAT(cache_.expire(now_).ended, IsEmpty());
    now_ += seconds(10);
    EXPECT_EQ(cache_.expire(now_).ended.size(), 1u);
    EXPECT_THAT(addressesOf(cache_.careOf(kHome)), IsEmpty());
}

TEST_F(BindingCacheTest, SequenceIsComparedModulo65536) {
    EXPECT_EQ(statusOf(updateOf(kNode1, 65535, 1)), BindingStatus::accepted);
    EXPECT_EQ(statusOf(updateOf(kNode1, 0, 1)), BindingStatus::accepted);
    const auto refused = apply(updateOf(kNode1, 65530, 1));
    EXPECT_EQ(refused.acknowledgement.status, BindingStatus::sequence_out_of_window);
    EXPECT_EQ(refused.acknowledgement.sequence, 0u);
    EXPECT_EQ(statusOf(updateOf(kNode1, 0, 1)), BindingStatus::sequence_out_of_window);
    EXPECT_EQ(statusOf(updateOf(kNode1, 0x8000, 1)), BindingStatus::sequence_out_of_window);
    EXPECT_EQ(statusOf(updateOf(kNode1, 0x7fff, 1)), BindingStatus::accepted);
}

TEST_F(BindingCacheTest, HigherGenerationTakesOverWhateverItsSequence) {
    apply(updateOf(kNode1, 900, 1));
    EXPECT_EQ(statusOf(updateOf(kNode2, 1, 2)), BindingStatus::accepted);
    EXPECT_THAT(addressesOf(cache_.careOf(kHome)), ElementsAre(kNode2));
    const auto stale = apply(updateOf(kNode1, 901, 1));
    EXPECT_EQ(stale.acknowledgement.status, BindingStatus::generation_stale);
    EXPECT_EQ(stale.acknowledgement.generation, 2u);
    EXPECT_EQ(statusOf(updateOf(kNode1, 902, 1, 0)), BindingStatus::generation_stale);  // its farewell harms nobody
    EXPECT_THAT(addressesOf(cache_.careOf(kHome)), ElementsAre(kNode2));
}

TEST_F(BindingCacheTest, GivenUpAddressStaysFenced) {
    apply(updateOf(kNode2, 1, 2));
    const auto outcome = apply(updateOf(kNode2, 2, 2, 0));
    EXPECT_TRUE(outcome.changed);
    EXPECT_EQ(outcome.binding.lifetime_s, 0u);
    EXPECT_THAT(cache_.list(), IsEmpty());
    EXPECT_EQ(statusOf(updateOf(kNode1, 1, 1)), BindingStatus::generation_stale);
    EXPECT_EQ(statusOf(updateOf(kNode2, 3, 2)), BindingStatus::accepted);
}

TEST_F(BindingCacheTest, ExpiredAddressStaysFencedForAnHour) {
    apply(updateOf(kNode2, 1, 2));
    now_ += seconds(40);
    EXPECT_EQ(cache_.expire(now_).ended.size(), 1u);
    EXPECT_EQ(statusOf(updateOf(kNode1, 1, 1)), BindingStatus::generation_stale);
    now_ += std::chrono::hours(1);
    EXPECT_EQ(cache_.expire(now_).forgotten.size(), 1u);
    EXPECT_EQ(statusOf(updateOf(kNode1, 1, 1)), BindingStatus::accepted);
}

TEST_F(BindingCacheTest, SeveralCareOfAddressesOfOneHomeAddress) {
    apply(updateOf(kNode1, 1, 1, 40, 1));
    apply(updateOf(kNode2, 1, 1, 40, 2));
    apply(updateOf(kNode2, 1, 1, 40, 3));
    EXPECT_THAT(addressesOf(cache_.careOf(kHome)), ElementsAre(kNode1, kNode2, kNode2));
    apply(updateOf(kNode1, 2, 1, 0, 1));
    EXPECT_THAT(addressesOf(cache_.careOf(kHome)), ElementsAre(kNode2, kNode2));
}

TEST_F(BindingCacheTest, OtherTermsAreAChangeButNoNewRegistration) {
    const auto first = apply(updateOf(kNode1, 1, 1));
    BindingUpdate drain = updateOf(kNode1, 2, 1);
    drain.terms.draining = true;
    const auto outcome = apply(drain);
    EXPECT_TRUE(outcome.changed);
    EXPECT_TRUE(outcome.binding.terms.draining);
    EXPECT_EQ(outcome.binding.registered, first.binding.registered);
    drain.sequence = 3;
    EXPECT_FALSE(apply(drain).changed);
}

TEST_F(BindingCacheTest, NewFlowsGoToTheLowestPriorityThatIsThere) {
    BindingUpdate preferred = updateOf(kNode1, 1, 1, 40, 1);
    preferred.terms = {.priority = 10, .weight = 3};
    BindingUpdate reserve = updateOf(kNode2, 1, 1, 40, 2);
    reserve.terms.priority = 20;
    apply(reserve);
    CareOf first{.address = kNode1, .binding_id = 1, .weight = 3, .report = 1};
    CareOf second{.address = kNode2, .binding_id = 2, .report = 1};
    EXPECT_THAT(cache_.careOf(kHome).members, ElementsAre(second));
    apply(preferred);
    second.draining = true;
    EXPECT_THAT(cache_.careOf(kHome).members, ElementsAre(first, second));
    preferred.sequence = 2;
    preferred.terms.draining = true;
    apply(preferred);
    first.report = 2;
    first.draining = true;
    second.draining = false;
    EXPECT_THAT(cache_.careOf(kHome).members, ElementsAre(first, second));
}

TEST_F(BindingCacheTest, IsBounded) {
    for (uint16_t id = 0; id < 3; ++id) EXPECT_EQ(statusOf(updateOf(kNode1, 1, 1, 40, id)), BindingStatus::accepted);
    EXPECT_EQ(statusOf(updateOf(kNode1, 1, 1, 40, 3)), BindingStatus::insufficient_resources);
    EXPECT_EQ(statusOf(updateOf(kNode1, 2, 1, 40, 2)), BindingStatus::accepted);
}

TEST_F(BindingCacheTest, RestoredBindingLivesOneGreatestLifetime) {
    const Binding binding = apply(updateOf(kNode2, 7, 2)).binding;
    BindingCache reborn({.max_lifetime_s = 60});
    reborn.restore(binding, now_);
    EXPECT_THAT(addressesOf(reborn.careOf(kHome)), ElementsAre(kNode2));
    EXPECT_EQ(reborn.apply(updateOf(kNode1, 1, 1), now_, Utc::now()).acknowledgement.status,
              BindingStatus::generation_stale);
    EXPECT_THAT(reborn.expire(now_ + seconds(59)).ended, IsEmpty());
    EXPECT_EQ(reborn.expire(now_ + seconds(60)).ended.size(), 1u);
}

TEST_F(BindingCacheTest, ComingAndGoingLeavesOneDeadline) {
    for (uint16_t round = 0; round < 100; ++round) {
        apply(updateOf(kNode1, static_cast<uint16_t>(2 * round + 1), 1));
        apply(updateOf(kNode1, static_cast<uint16_t>(2 * round + 2), 1, 0));
        now_ += seconds(50);
        cache_.expire(now_);
    }
    now_ += std::chrono::hours(1);
    EXPECT_EQ(cache_.expire(now_).forgotten.size(), 1u);
    EXPECT_FALSE(cache_.nextExpiry().has_value());
}

}  // namespace
}  // namespace homeslice::mobility
