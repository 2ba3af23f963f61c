#include "controller/operations/operations.h"

#include <gtest/gtest.h>

namespace homeslice::controller {
namespace {

Operation creation(uint32_t total) { return newOperation(OperationKind::createSlice, {"web", 0}, total, "", 100); }

SliverProgress sliver(uint32_t index, SliverState state, const std::string& away = "") {
    return {.id = {"web", index},
            .node = "node" + std::to_string(index),
            .node_away = away,
            .state = state,
            .reason = state == SliverState::failed ? "no space" : ""};
}

TEST(Operations, CreationRunsUntilEachSliverIsThere) {
    const Operation operation = progressOf(
        creation(3),
        {sliver(1, SliverState::running), sliver(2, SliverState::preparing), sliver(3, SliverState::pending, "away")},
        200);
    EXPECT_EQ(operation.state, OperationState::running);
    EXPECT_EQ(operation.done, 1U);
    EXPECT_EQ(operation.step, "1 pending, 1 preparing; waiting for node node3 (away)");
    EXPECT_EQ(operation.ended_us, 0);
}

TEST(Operations, CreationEndsDonePartialOrFailed) {
    const auto end = [](SliverState a, SliverState b) {
        return progressOf(creation(2), {sliver(1, a), sliver(2, b)}, 200);
    };
    EXPECT_EQ(end(SliverState::running, SliverState::exited).state, OperationState::done);
    const Operation partial = end(SliverState::running, SliverState::failed);
    EXPECT_EQ(partial.state, OperationState::partial);
    ASSERT_EQ(partial.failures.size(), 1U);
    EXPECT_EQ(partial.failures[0], (OperationFailure{{"web", 2}, "node2", "no space"}));
    EXPECT_EQ(partial.ended_us, 200);
    EXPECT_EQ(end(SliverState::failed, SliverState::failed).state, OperationState::failed);
}

Operation change(OperationKind kind, const SliverProgress& sliver) {
    return progressOf(newOperation(kind, {"web", 0}, 1, "", 100), {sliver}, 200);
}

TEST(Operations, ChangesCountOnlyWhatTheNodeHasTakenIn) {
    for (const auto& [kind, state] : {std::pair(OperationKind::setSlice, SliverState::running),
                                      std::pair(OperationKind::freeze, SliverState::frozen),
                                      std::pair(OperationKind::thaw, SliverState::running)}) {
        SliverProgress there = sliver(1, state);
        EXPECT_EQ(change(kind, there).state, OperationState::done) << toString(kind);
        there.current = false;
        EXPECT_EQ(change(kind, there).state, OperationState::running) << toString(kind);
    }
}

TEST(Operations, LimitsThatDoNotHoldYetAreWaitedForUntilTheNodeSaysWhyTheyCannot) {
    SliverProgress stale = sliver(1, SliverState::running);
    stale.stale = true;
    EXPECT_EQ(change(OperationKind::setSlice, stale).state, OperationState::running);
    stale.reason = "memory.max: EBUSY";
    const Operation ended = change(OperationKind::setSlice, stale);
    EXPECT_EQ(ended.state, OperationState::failed);
    ASSERT_EQ(ended.failures.size(), 1U);
    EXPECT_EQ(ended.failures[0].reason, "memory.max: EBUSY");
    EXPECT_EQ(change(OperationKind::setSlice, sliver(1, SliverState::frozen)).state, OperationState::done);
    for (const SliverState state : {SliverState::exited, SliverState::stopped}) {
        stale.state = state;
        EXPECT_EQ(change(OperationKind::setSlice, stale).state, OperationState::done) << "nothing runs in it";
    }
}

TEST(Operations, WhatHasEndedCannotStandStill) {
    EXPECT_EQ(change(OperationKind::freeze, sliver(1, SliverState::running)).state, OperationState::running);
    const Operation ended = change(OperationKind::freeze, sliver(1, SliverState::exited));
    EXPECT_EQ(ended.state, OperationState::failed);
    EXPECT_EQ(ended.failures[0].reason, "it has exited");
    EXPECT_EQ(change(OperationKind::thaw, sliver(1, SliverState::frozen)).state, OperationState::running);
    EXPECT_EQ(change(OperationKind::thaw, sliver(1, SliverState::exited)).state, OperationState::done);
}

TEST(Operations, DeletionNamesTheNodesThatItWaitsFor) {
    const Operation operation = newOperation(OperationKind::deleteSlice, {"web", 0}, 3, "", 100);
    const Operation waiting = deletionProgress(operation, 2, {"node1", "node2 (away)"}, 200);
    EXPECT_EQ(waiting.state, OperationState::running);
    EXPECT_EQ(waiting.done, 1U);
    EXPECT_EQ(waiting.step, "waiting for node1, node2 (away)");
    const Operation over = deletionProgress(operation, 0, {}, 300);
    EXPECT_EQ(over.state, OperationState::done);
    EXPECT_EQ(over.done, 3U);
}

TEST(Operations, OnlyTheOldestEndedOnesAreForgotten) {
    std::map<std::string, Operation> operations;
    const auto add = [&operations](int64_t ended_us) {
        Operation operation = creation(1);
        if (ended_us != 0) operation = succeeded(operation, "", ended_us);
        operations[operation.id] = operation;
        return operation.id;
    };
    add(0);
    const std::string oldest = add(1);
    for (size_t i = 0; i < kOperationsKept; ++i) add(static_cast<int64_t>(i) + 2);
    EXPECT_EQ(toForget(operations), std::vector<std::string>{oldest});
    operations.erase(oldest);
    EXPECT_TRUE(toForget(operations).empty());
}

}  // namespace
}  // namespace homeslice::controller
