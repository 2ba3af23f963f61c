#include "noded/mobility/home_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "base/status.h"
#include "noded/mobility/fake_forwarder.h"
#include "noded/mobility/test_care_of.h"

namespace homeslice::mobility {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Ipv6Prefix kPrefix = *Ipv6Prefix::parse("fd51:1ce::/48");
const Ipv6Address kHome = *Ipv6Address::parse("fd51:1ce:0:1::1:1");
const Ipv6Address kNode1 = *Ipv6Address::parse("fd00:51ce::1");
const Ipv6Address kNode2 = *Ipv6Address::parse("fd00:51ce::2");

BindingUpdate updateOf(const Ipv6Address& care_of, uint16_t sequence, uint64_t generation, uint32_t lifetime_s = 40) {
    return {.key = {.home_address = kHome, .binding_id = 0},
            .care_of_address = care_of,
            .sequence = sequence,
            .generation = generation,
            .lifetime_s = lifetime_s};
}

// Collects events and waits for them.
class Events {
public:
    HomeAgent::Watcher watcher() {
        return [this](const BindingEvent& event) {
            {
                const std::lock_guard lock(mutex_);
                kinds_.push_back(event.kind);
            }
            arrived_.notify_all();
        };
    }
    std::vector<BindingEvent::Kind> waitFor(size_t count) {
        std::unique_lock lock(mutex_);
        arrived_.wait_for(lock, std::chrono::seconds(10), [&] { return kinds_.size() >= count; });
        return kinds_;
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<BindingEvent::Kind> kinds_;
};

class HomeAgentTest : public ::testing::Test {
protected:
    void start(uint32_t max_lifetime_s = 60) {
        home_agent_.reset();
        home_agent_ = HomeAgent::create({.max_lifetime_s = max_lifetime_s}, forwarder_);
        home_agent_->setHomePrefix(kPrefix);
    }
    BindingStatus send(const BindingUpdate& update) {
        return home_agent_->update(update.care_of_address, update).status;
    }

    FakeForwarder forwarder_;
    Events events_;
    std::unique_ptr<HomeAgent> home_agent_;
};

TEST_F(HomeAgentTest, WatchersHearTheRoleFirstAndWhenItChanges) {
    start();
    home_agent_->setRole({.in_charge = false, .term = 3});
    home_agent_->watch(events_.watcher());
    using Kind = BindingEvent::Kind;
    EXPECT_THAT(events_.waitFor(2), ElementsAre(Kind::role, Kind::snapshot_end));
    home_agent_->setRole({.in_charge = false, .term = 3});
    home_agent_->setRole({.in_charge = true, .term = 4});
    EXPECT_THAT(events_.waitFor(3), ElementsAre(Kind::role, Kind::snapshot_end, Kind::role));
}

TEST_F(HomeAgentTest, ForwardsToWhereTheBindingSays) {
    start();
    EXPECT_EQ(send(updateOf(kNode1, 1, 1)), BindingStatus::accepted);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kNode1));
    EXPECT_EQ(send(updateOf(kNode2, 1, 2)), BindingStatus::accepted);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kNode2));
    EXPECT_EQ(send(updateOf(kNode2, 2, 2, 0)), BindingStatus::accepted);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
}

TEST_F(HomeAgentTest, RefusesOthersCareOfAndForeignHomeAddresses) {
    start();
    EXPECT_EQ(home_agent_->update(kNode2, updateOf(kNode1, 1, 1)).status, BindingStatus::administratively_prohibited);
    BindingUpdate foreign = updateOf(kNode1, 1, 1);
    foreign.key.home_address = *Ipv6Address::parse("2001:db8::1");
    EXPECT_EQ(send(foreign), BindingStatus::not_home_subnet);
    EXPECT_THAT(home_agent_->list(), IsEmpty());
}

TEST_F(HomeAgentTest, RefusesWhatTheDataPlaneCannotHold) {
    start();
    forwarder_.answerWith(resourceExhausted("full"));
    EXPECT_EQ(send(updateOf(kNode1, 1, 1)), BindingStatus::insufficient_resources);
    EXPECT_THAT(home_agent_->list(), IsEmpty());
    forwarder_.answerWith(absl::OkStatus());
    EXPECT_EQ(send(updateOf(kNode1, 1, 1)), BindingStatus::accepted);
}

TEST_F(HomeAgentTest, WatchersGetSnapshotThenChanges) {
    using Kind = BindingEvent::Kind;
    start();
    send(updateOf(kNode1, 1, 1));
    const uint64_t id = home_agent_->watch(events_.watcher());
    send(updateOf(kNode1, 2, 1));  // a refresh
    send(updateOf(kNode2, 1, 2));
    send(updateOf(kNode2, 2, 2, 0));
    EXPECT_THAT(events_.waitFor(4), ElementsAre(Kind::bound, Kind::snapshot_end, Kind::bound, Kind::unbound));
    home_agent_->unwatch(id);
    send(updateOf(kNode2, 3, 2));
    EXPECT_EQ(events_.waitFor(4).size(), 4u);
}

TEST_F(HomeAgentTest, BindingsExpire) {
    start();
    home_agent_->watch(events_.watcher());
    send(updateOf(kNode1, 1, 1, 1));
    EXPECT_THAT(events_.waitFor(3),
                ElementsAre(BindingEvent::Kind::snapshot_end, BindingEvent::Kind::bound, BindingEvent::Kind::unbound));
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
}

TEST_F(HomeAgentTest, RestartForgetsNoGeneration) {
    start();
    send(updateOf(kNode2, 1, 2));
    start();
    EXPECT_EQ(send(updateOf(kNode1, 9, 1)), BindingStatus::generation_stale);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kNode2));
    EXPECT_EQ(send(updateOf(kNode2, 2, 2)), BindingStatus::accepted);
}

TEST_F(HomeAgentTest, WhatNobodyConfirmsAfterARestartEnds) {
    const Ipv6Address unknown = *Ipv6Address::parse("fd51:1ce:0:1::1:7");
    ASSERT_TRUE(forwarder_.setCareOf(unknown, careOf({kNode1})).ok());
    start();
    send(updateOf(kNode2, 1, 2));
    start(1);
    home_agent_->watch(events_.watcher());
    EXPECT_EQ(events_.waitFor(3).back(), BindingEvent::Kind::unbound);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
    home_agent_->list();  // after the expiry round that settles both
    EXPECT_THAT(addressesOf(forwarder_.careOf(unknown)), IsEmpty());
}

}  // namespace
}  // namespace homeslice::mobility
