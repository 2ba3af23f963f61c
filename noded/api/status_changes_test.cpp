#include "noded/api/status_changes.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace homeslice::api {
namespace {

v1::NodeStatus statusOf(const std::map<uint32_t, v1::SliverState>& slivers) {
    v1::NodeStatus status;
    status.set_desired_revision(7);
    for (const auto& [index, state] : slivers) {
        v1::SliverStatus& added = *status.add_slivers();
        added.mutable_sliver()->set_slice("web");
        added.mutable_sliver()->set_index(index);
        added.set_state(state);
    }
    return status;
}

TEST(StatusChanges, BeginsWithTheWhole) {
    StatusChanges changes;
    const v1::NodeStatus first = changes.next(statusOf({{1, v1::SLIVER_STATE_RUNNING}}));
    EXPECT_FALSE(first.changes_only());
    EXPECT_EQ(first.slivers_size(), 1);
}

TEST(StatusChanges, WhatIsAsBeforeIsNotSaidAgain) {
    StatusChanges changes;
    const v1::NodeStatus status = statusOf({{1, v1::SLIVER_STATE_RUNNING}, {2, v1::SLIVER_STATE_STARTING}});
    changes.next(status);
    const v1::NodeStatus second = changes.next(status);
    EXPECT_TRUE(second.changes_only());
    EXPECT_EQ(second.slivers_size() + second.gone_size(), 0);
    EXPECT_EQ(second.desired_revision(), 7U);
}

TEST(StatusChanges, SaysWhatIsNewOtherOrGone) {
    StatusChanges changes;
    changes.next(statusOf({{1, v1::SLIVER_STATE_STARTING}, {2, v1::SLIVER_STATE_RUNNING}}));
    const v1::NodeStatus second =
        changes.next(statusOf({{1, v1::SLIVER_STATE_RUNNING}, {3, v1::SLIVER_STATE_PENDING}}));
    ASSERT_EQ(second.slivers_size(), 2);
    EXPECT_EQ(second.slivers(0).sliver().index(), 1U);
    EXPECT_EQ(second.slivers(1).sliver().index(), 3U);
    ASSERT_EQ(second.gone_size(), 1);
    EXPECT_EQ(second.gone(0).index(), 2U);
    EXPECT_EQ(changes.next(statusOf({{1, v1::SLIVER_STATE_RUNNING}, {3, v1::SLIVER_STATE_PENDING}})).gone_size(), 0);
}

}  // namespace
}  // namespace homeslice::api
