#include "noded/mobility/election.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace homeslice::mobility {
namespace {

using std::chrono::milliseconds;

const Ipv6Address kFirst = *Ipv6Address::parse("fd00::1");
const Ipv6Address kSecond = *Ipv6Address::parse("fd00::2");
constexpr milliseconds kInterval{150};
constexpr milliseconds kSecondAtMost{1000};

// Home agents on a link that can be cut, in a time of their own.
class ElectionTest : public ::testing::Test {
protected:
    struct Member {
        Ipv6Address address;
        std::unique_ptr<Election> election;
        bool runs = true;
        bool connected = true;
    };

    Member& add(const Ipv6Address& address, uint8_t priority = 100) {
        members_.push_back(std::make_unique<Member>());
        Member& member = *members_.back();
        member.address = address;
        member.election = std::make_unique<Election>(
            Election::Config{.self = address, .priority = priority, .interval = kInterval}, now_);
        return member;
    }
    void pass(milliseconds duration) {
        for (const auto end = now_ + duration; now_ < end; now_ += milliseconds(1))
            for (const auto& member : members_)
                if (member->runs && member->election->tick(now_)) send(*member);
    }
    void send(const Member& sender) {
        for (const auto& member : members_)
            if (member.get() != &sender && member->runs && member->connected && sender.connected)
                member->election->heard(sender.address, sender.election->advertisement(), now_);
    }
    size_t inCharge() const {
        size_t count = 0;
        for (const auto& member : members_) count += member->runs && member->election->role().in_charge ? 1 : 0;
        return count;
    }

    Monotonic::time_point now_{std::chrono::seconds(1000)};
    std::vector<std::unique_ptr<Member>> members_;
};

TEST_F(ElectionTest, OneOfSeveralTakesCharge) {
    add(kFirst, 100);
    Member& preferred = add(kSecond, 200);
    pass(kSecondAtMost);
    EXPECT_EQ(inCharge(), 1u);
    EXPECT_TRUE(preferred.election->role().in_charge);
    EXPECT_EQ(members_[0]->election->role().term, preferred.election->role().term);
}

TEST_F(ElectionTest, EqualPrioritiesAreNoMatter) {
    add(kFirst);
    add(kSecond);
    pass(kSecondAtMost);
    EXPECT_EQ(inCharge(), 1u);
}

TEST_F(ElectionTest, AnotherTakesOverWithinASecondOfAnEnd) {
    Member& first = add(kFirst, 200);
    Member& second = add(kSecond, 100);
    pass(kSecondAtMost);
    const uint64_t term = first.election->role().term;
    first.runs = false;
    pass(3 * kInterval);
    EXPECT_FALSE(second.election->role().in_charge) << "three advertisements may be lost";
    pass(2 * kInterval);
    EXPECT_TRUE(second.election->role().in_charge);
    EXPECT_GT(second.election->role().term, term);
}

TEST_F(ElectionTest, AfterACutTheHigherTermStays) {
    Member& first = add(kFirst, 200);
    Member& second = add(kSecond, 100);
    pass(kSecondAtMost);
    first.connected = false;
    pass(kSecondAtMost);
    EXPECT_EQ(inCharge(), 2u) << "neither can know";
    first.connected = true;
    pass(kInterval + milliseconds(1));
    EXPECT_FALSE(first.election->role().in_charge);
    EXPECT_TRUE(second.election->role().in_charge);
    pass(10 * kSecondAtMost);
    EXPECT_EQ(inCharge(), 1u);
    EXPECT_TRUE(second.election->role().in_charge) << "a greater priority alone takes nothing away";
}

TEST_F(ElectionTest, WhoSleptThroughItsLeaseGivesItUp) {
    Member& first = add(kFirst, 200);
    add(kSecond, 100);
    pass(kSecondAtMost);
    first.runs = false;
    pass(kSecondAtMost);
    first.runs = true;
    EXPECT_FALSE(first.election->tick(now_)) << "it must not even claim it again";
    EXPECT_FALSE(first.election->role().in_charge);
    pass(kSecondAtMost);
    EXPECT_EQ(inCharge(), 1u);
}

TEST_F(ElectionTest, OneThatResignsIsFollowedAtOnce) {
    Member& first = add(kFirst, 200);
    Member& second = add(kSecond, 100);
    pass(kSecondAtMost);
    first.election->resign();
    send(first);
    pass(kInterval);
    EXPECT_TRUE(second.election->role().in_charge);
    EXPECT_EQ(inCharge(), 1u);
}

TEST_F(ElectionTest, OneAloneNeedsNoAgreementAndKeepsItsCharge) {
    Member& only = add(kFirst);
    only.election->setAlone(true, now_);
    EXPECT_TRUE(only.election->tick(now_));
    EXPECT_TRUE(only.election->role().in_charge);
    now_ += std::chrono::minutes(5);
    EXPECT_TRUE(only.election->tick(now_));
    EXPECT_TRUE(only.election->role().in_charge);
}

TEST_F(ElectionTest, OneAloneMayBeHeldBack) {
    Member& only = add(kFirst);
    only.election->setAlone(true, now_, milliseconds(3000));
    pass(milliseconds(2900));
    EXPECT_FALSE(only.election->role().in_charge);
    only.election->setAlone(true, now_);
    pass(milliseconds(200));
    EXPECT_TRUE(only.election->role().in_charge);
}

TEST_F(ElectionTest, OneThatComesLaterFollows) {
    Member& first = add(kFirst, 100);
    first.election->setAlone(true, now_);
    pass(kSecondAtMost);
    Member& second = add(kSecond, 254);
    first.election->setAlone(false, now_);
    pass(kSecondAtMost);
    EXPECT_TRUE(first.election->role().in_charge);
    EXPECT_FALSE(second.election->role().in_charge);
}

}  // namespace
}  // namespace homeslice::mobility
