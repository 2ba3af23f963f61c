// Home agents' words to each other: what is authentic, and what is new.
#include <gtest/gtest.h>

#include "noded/mobility/advertisement_freshness.h"
#include "noded/mobility/advertisement_message.h"

namespace homeslice::mobility {
namespace {

using Verdict = AdvertisementFreshness::Verdict;

// A standby and the one in charge, over a wire that the test is.
class Freshness : public ::testing::Test {
protected:
    // The sender's next advertisement; challenged if need be, and repeated.
    Stamp advertise() {
        Stamp stamp = sender_.next();
        if (receiver_.heard(stamp) != Verdict::unknown) return stamp;
        EXPECT_TRUE(sender_.challenged(receiver_.challengeTo(stamp)));
        stamp = sender_.next();
        EXPECT_EQ(receiver_.heard(stamp), Verdict::fresh);
        return stamp;
    }

    AdvertisementFreshness sender_;
    AdvertisementFreshness receiver_;
};

TEST_F(Freshness, TheFirstIsChallengedThenAllAreFresh) {
    EXPECT_EQ(receiver_.heard(sender_.next()), Verdict::unknown);
    advertise();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(receiver_.heard(sender_.next()), Verdict::fresh);
}

TEST_F(Freshness, NothingCountsTwice) {
    const Stamp first = advertise();
    const Stamp second = sender_.next();
    const Stamp lost = sender_.next();
    const Stamp third = sender_.next();
    EXPECT_EQ(receiver_.heard(second), Verdict::fresh);
    EXPECT_EQ(receiver_.heard(third), Verdict::fresh);
    for (const Stamp& old : {first, second, lost, third}) EXPECT_EQ(receiver_.heard(old), Verdict::replayed);
}

TEST_F(Freshness, AReceiverThatBeginsAnewTakesNothingOld) {
    const Stamp old = advertise();
    receiver_ = {};
    EXPECT_EQ(receiver_.heard(old), Verdict::unknown);
    advertise();
    EXPECT_EQ(receiver_.heard(old), Verdict::unknown);
}

TEST_F(Freshness, ASenderThatBeginsAnewIsHeardAndItsEarlierLifeIsVoid) {
    const Stamp old = advertise();
    AdvertisementFreshness again;
    const Stamp first = again.next();
    EXPECT_EQ(receiver_.heard(first), Verdict::unknown);
    ASSERT_TRUE(again.challenged(receiver_.challengeTo(first)));
    EXPECT_EQ(receiver_.heard(again.next()), Verdict::fresh);
    EXPECT_EQ(receiver_.heard(old), Verdict::unknown);
    EXPECT_EQ(receiver_.heard(sender_.next()), Verdict::unknown);
}

TEST_F(Freshness, PlayingBackDoesNotPutAnybodyOff) {
    const Stamp zero = sender_.next();
    ASSERT_EQ(receiver_.heard(zero), Verdict::unknown);
    const Stamp challenge = receiver_.challengeTo(zero);
    ASSERT_TRUE(sender_.challenged(challenge));
    ASSERT_EQ(receiver_.heard(sender_.next()), Verdict::fresh);
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(sender_.challenged(challenge)) << "played back to the sender";
        EXPECT_EQ(receiver_.heard(zero), Verdict::unknown);
        EXPECT_FALSE(sender_.challenged(receiver_.challengeTo(zero))) << "what it makes the receiver say";
        EXPECT_EQ(receiver_.heard(sender_.next()), Verdict::fresh);
    }
}

TEST_F(Freshness, AChallengeThatIsLateCountsOnAPathLongerThanTheInterval) {
    const Stamp first = sender_.next();
    receiver_.heard(first);
    const Stamp challenge = receiver_.challengeTo(first);
    for (int i = 0; i < 4; ++i) receiver_.heard(sender_.next());
    EXPECT_TRUE(sender_.challenged(challenge));
    EXPECT_EQ(receiver_.heard(sender_.next()), Verdict::fresh);
}

const Correspondence kBetween{.from = *Ipv6Address::parse("fd00:51ce::1"),
                              .to = *Ipv6Address::parse("fd00:51ce::2"),
                              .home_prefix = *Ipv6Prefix::parse("fd51:1ce::/48"),
                              .key = "key"};
const HomeAgentMessage kMessage{
    .kind = HomeAgentMessage::Kind::challenge,
    .advertisement = {.term = 1ULL << 40, .priority = 200, .interval = std::chrono::milliseconds(150)},
    .stamp = {.life = ~0ULL, .sequence = 3, .nonce = {1, 2, 3}}};

TEST(AdvertisementMessage, SaysTheSameOnTheOtherSide) {
    const auto read = decodeMessage(kBetween, encodeMessage(kBetween, kMessage).value());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->kind, kMessage.kind);
    EXPECT_EQ(read->advertisement, kMessage.advertisement);
    EXPECT_EQ(read->stamp.life, kMessage.stamp.life);
    EXPECT_EQ(read->stamp.sequence, kMessage.stamp.sequence);
    EXPECT_EQ(read->stamp.nonce, kMessage.stamp.nonce);
}

TEST(AdvertisementMessage, IsForOneReceiverFromOneSenderWithTheKey) {
    const auto datagram = encodeMessage(kBetween, kMessage).value();
    Correspondence other = kBetween;
    other.key = "another";
    EXPECT_FALSE(decodeMessage(other, datagram));
    other = kBetween;
    std::swap(other.from, other.to);
    EXPECT_FALSE(decodeMessage(other, datagram)) << "reflected";
    other = kBetween;
    other.home_prefix = *Ipv6Prefix::parse("fd52::/48");
    EXPECT_FALSE(decodeMessage(other, datagram));
}

TEST(AdvertisementMessage, NoBitMayDiffer) {
    const auto datagram = encodeMessage(kBetween, kMessage).value();
    for (size_t bit = 0; bit < datagram.size() * 8; ++bit) {
        auto changed = datagram;
        changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ 1U << bit % 8);
        EXPECT_FALSE(decodeMessage(kBetween, changed)) << bit;
    }
    EXPECT_FALSE(decodeMessage(kBetween, std::span(datagram).first(103)));
    EXPECT_FALSE(decodeMessage(kBetween, {}));
}

}  // namespace
}  // namespace homeslice::mobility
