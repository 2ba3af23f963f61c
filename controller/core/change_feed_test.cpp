#include "controller/core/change_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/reason.h"

namespace homeslice::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class ChangeFeedTest : public ::testing::Test {
protected:
    ChangeFeedTest() { snapshot_.revision = 100; }

    void apply(const Changes& changes) {
        feed_.record(snapshot_, changes);
        applyTo(snapshot_, changes);
    }
    void putNode(const std::string& name) {
        Changes changes;
        changes.put_nodes.emplace_back().name = name;
        apply(changes);
    }
    // What somebody has missed who knows all up to `revision`: "node1", "-web" for what is lost.
    std::vector<std::string> missedSince(uint64_t revision) {
        std::vector<std::string> missed;
        const auto from = feed_.after(revision, snapshot_.revision);
        EXPECT_TRUE(from.ok()) << from.status();
        for (uint64_t number = from.value_or(feed_.next()); number < feed_.next(); ++number) {
            const ChangeRecord& record = feed_.at(number);
            const std::string index = record.thing.index == 0 ? "" : "/" + std::to_string(record.thing.index);
            missed.push_back((record.lost ? "-" : "") + record.thing.name + index);
        }
        return missed;
    }
    absl::Status refusalOf(uint64_t revision) { return feed_.after(revision, snapshot_.revision).status(); }

    Snapshot snapshot_;
    ChangeFeed feed_{100, 4};
};

TEST_F(ChangeFeedTest, TellsExactlyWhatCameAfterARevision) {
    putNode("a");
    putNode("b");
    putNode("c");
    EXPECT_THAT(missedSince(100), ElementsAre("a", "b", "c"));
    EXPECT_THAT(missedSince(102), ElementsAre("c"));
    EXPECT_THAT(missedSince(103), IsEmpty());
}

TEST_F(ChangeFeedTest, WhatIsNotStoredCountsAsLaterThanItsRevision) {
    putNode("a");
    feed_.note({ChangeKind::node, "silent", 0}, snapshot_.revision);
    putNode("b");
    EXPECT_THAT(missedSince(101), ElementsAre("silent", "b"));
    EXPECT_THAT(missedSince(100), ElementsAre("a", "silent", "b"));
}

TEST_F(ChangeFeedTest, KeepsABoundedHistoryAndSaysWhatIsGone) {
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) putNode(name);
    EXPECT_THAT(missedSince(102), ElementsAre("c", "d", "e", "f"));
    const absl::Status gone = refusalOf(101);
    EXPECT_EQ(gone.code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(reasonOf(gone).word, reason::kRevisionGone);
    EXPECT_THAT(reasonOf(gone).facts, Contains(Pair("oldest", "102")));
    EXPECT_EQ(feed_.next() - feed_.first(), 4U);
}

TEST_F(ChangeFeedTest, KnowsNothingOfTheTimeBeforeItAndAfterNow) {
    EXPECT_TRUE(refusalOf(100).ok());
    EXPECT_EQ(refusalOf(99).code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(refusalOf(101).code(), absl::StatusCode::kOutOfRange) << "such as after a backup was restored";
}

TEST_F(ChangeFeedTest, WhoCouldSeeWhatIsErasedIsKept) {
    Changes made;
    Slice slice;
    slice.name = "web";
    slice.owner = "alice";
    slice.members = {"bob"};
    made.put_slices.push_back(slice);
    made.put_slivers.emplace_back().id = {"web", 1};
    apply(made);
    Changes erased;
    erased.erase_slivers.push_back({"web", 1});
    erased.erase_slices.emplace_back("web");
    apply(erased);
    EXPECT_THAT(missedSince(101), ElementsAre("-web/1", "-web"));
    for (uint64_t number = feed_.next() - 2; number < feed_.next(); ++number) {
        ASSERT_NE(feed_.at(number).audience, nullptr);
        EXPECT_TRUE(feed_.at(number).audience->has("alice"));
        EXPECT_TRUE(feed_.at(number).audience->has("bob"));
        EXPECT_FALSE(feed_.at(number).audience->has("eve"));
    }
}

TEST_F(ChangeFeedTest, SlicesOfManyChangedSliversAreNotedOnce) {
    for (int i = 0; i < 3; ++i) feed_.note({ChangeKind::sliver, "web", 1}, snapshot_.revision);
    feed_.noteSlices(snapshot_.revision);
    feed_.noteSlices(snapshot_.revision);
    EXPECT_THAT(missedSince(100), ElementsAre("web/1", "web/1", "web/1", "web"));
}

TEST_F(ChangeFeedTest, WakesOncePerChange) {
    int woken = 0;
    feed_.onChange([&woken] { ++woken; });
    putNode("a");
    feed_.note({ChangeKind::node, "a", 0}, snapshot_.revision);
    feed_.noteSlices(snapshot_.revision);
    EXPECT_EQ(woken, 2) << "no slice was touched";
}

}  // namespace
}  // namespace homeslice::controller
