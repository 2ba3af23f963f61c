#include "controller/moves/move.h"

#include <gtest/gtest.h>

namespace homeslice::controller {
namespace {

Sliver atRest() {
    Sliver sliver;
    sliver.id = {"web", 2};
    sliver.node = "node1";
    sliver.generation = 5;
    sliver.last_generation = 7;
    sliver.holders = {"node1"};
    return sliver;
}

Sliver inPhase(MovePhase phase) {
    Sliver sliver = beginMove(atRest(), "node2", "op");
    while (sliver.move.phase != phase) sliver = advance(sliver);
    return sliver;
}

SliverReport report(SliverState state, bool image_ready = false) {
    SliverReport result;
    result.state = state;
    result.image_ready = image_ready;
    result.reason = "no space";
    return result;
}

MoveVerdict verdict(const Sliver& sliver, const MoveFacts& facts) { return decide(sliver, facts).verdict; }

void expectRole(const Sliver& sliver, const std::string& node, uint64_t generation, DesiredRun run, bool takes_disk) {
    const auto role = roleOn(sliver, node);
    ASSERT_TRUE(role.has_value()) << node;
    EXPECT_EQ(role->generation, generation) << node;
    EXPECT_EQ(role->run, run) << node;
    EXPECT_EQ(role->takes_disk, takes_disk) << node;
}

TEST(Move, RolesAtRest) {
    expectRole(atRest(), "node1", 5, DesiredRun::running, false);
    EXPECT_FALSE(roleOn(atRest(), "node2").has_value());
}

TEST(Move, RolesInEachPhase) {
    expectRole(inPhase(MovePhase::preparing), "node1", 5, DesiredRun::running, false);
    expectRole(inPhase(MovePhase::preparing), "node2", 8, DesiredRun::prepared, false);
    expectRole(inPhase(MovePhase::stopping), "node1", 5, DesiredRun::stopped, false);
    expectRole(inPhase(MovePhase::stopping), "node2", 8, DesiredRun::prepared, false);
    expectRole(inPhase(MovePhase::transferring), "node1", 5, DesiredRun::stopped, false);
    expectRole(inPhase(MovePhase::transferring), "node2", 8, DesiredRun::running, true);
    EXPECT_FALSE(roleOn(inPhase(MovePhase::transferring), "node3").has_value());
}

TEST(Move, RemainsOnTheTargetAreClearedFirst) {
    Sliver sliver = atRest();
    sliver.holders.insert("node2");
    sliver = beginMove(sliver, "node2", "op");
    EXPECT_EQ(sliver.move.phase, MovePhase::clearing);
    expectRole(sliver, "node1", 5, DesiredRun::running, false);
    EXPECT_FALSE(roleOn(sliver, "node2").has_value());
    EXPECT_EQ(verdict(sliver, {}), MoveVerdict::wait);
    sliver.holders.erase("node2");
    EXPECT_EQ(verdict(sliver, {}), MoveVerdict::advance);
}

TEST(Move, PreparingWaitsForTheImage) {
    const Sliver sliver = inPhase(MovePhase::preparing);
    const SliverReport fetching = report(SliverState::preparing);
    const SliverReport ready = report(SliverState::preparing, true);
    EXPECT_EQ(verdict(sliver, {}), MoveVerdict::wait);
    EXPECT_EQ(verdict(sliver, {.source = nullptr, .target = &fetching}), MoveVerdict::wait);
    EXPECT_EQ(verdict(sliver, {.source = nullptr, .target = &ready}), MoveVerdict::advance);
}

TEST(Move, StoppingWaitsUntilNothingRuns) {
    const Sliver sliver = inPhase(MovePhase::stopping);
    for (const SliverState state : {SliverState::running, SliverState::stopping}) {
        const SliverReport still = report(state);
        EXPECT_EQ(verdict(sliver, {.source = &still}), MoveVerdict::wait);
    }
    for (const SliverState state : {SliverState::stopped, SliverState::exited, SliverState::failed}) {
        const SliverReport gone = report(state);
        EXPECT_EQ(verdict(sliver, {.source = &gone}), MoveVerdict::advance);
    }
}

TEST(Move, TransferringCompletesOnceTheCommandWasStarted) {
    const Sliver sliver = inPhase(MovePhase::transferring);
    EXPECT_EQ(sliver.node, "node2");
    EXPECT_EQ(sliver.generation, 8U);
    const SliverReport starting = report(SliverState::starting);
    EXPECT_EQ(verdict(sliver, {.target = &starting}), MoveVerdict::wait);
    for (const SliverState state : {SliverState::running, SliverState::exited}) {
        const SliverReport there = report(state);
        EXPECT_EQ(verdict(sliver, {.target = &there}), MoveVerdict::complete);
        // What ran and was seen is not rolled back, even if the node is silent now.
        EXPECT_EQ(verdict(sliver, {.target_lost = true, .target = &there}), MoveVerdict::complete);
    }
    const Sliver moved = complete(sliver);
    EXPECT_FALSE(moved.moving());
    EXPECT_FALSE(roleOn(moved, "node1").has_value());
    expectRole(moved, "node2", 8, DesiredRun::running, false);
}

TEST(Move, RollsBackWhenTheTargetFailsOrIsLost) {
    const SliverReport failed = report(SliverState::failed);
    for (const MovePhase phase : {MovePhase::preparing, MovePhase::stopping, MovePhase::transferring}) {
        const MoveDecision after_failure = decide(inPhase(phase), {.target = &failed});
        EXPECT_EQ(after_failure.verdict, MoveVerdict::rollBack) << toString(phase);
        EXPECT_EQ(after_failure.reason, "node node2: no space");
        const MoveDecision after_loss = decide(inPhase(phase), {.target_lost = true});
        EXPECT_EQ(after_loss.verdict, MoveVerdict::rollBack) << toString(phase);
        EXPECT_EQ(after_loss.reason, "node node2 is away");
    }
}

TEST(Move, ALostSourceEndsItUnlessTheDiskIsOnItsWay) {
    EXPECT_EQ(verdict(inPhase(MovePhase::preparing), {.source_lost = true}), MoveVerdict::rollBack);
    EXPECT_EQ(verdict(inPhase(MovePhase::stopping), {.source_lost = true}), MoveVerdict::rollBack);
    EXPECT_EQ(verdict(inPhase(MovePhase::transferring), {.source_lost = true}), MoveVerdict::wait);
}

TEST(Move, RollBackOutranksTheTargetIfTheSourceWasStopped) {
    const Sliver early = rollBack(inPhase(MovePhase::preparing));
    expectRole(early, "node1", 5, DesiredRun::running, false);
    EXPECT_FALSE(roleOn(early, "node2").has_value());
    EXPECT_EQ(early.last_generation, 8U);
    for (const MovePhase phase : {MovePhase::stopping, MovePhase::transferring}) {
        const Sliver late = rollBack(inPhase(phase));
        expectRole(late, "node1", 9, DesiredRun::running, false);
        EXPECT_FALSE(roleOn(late, "node2").has_value());
        EXPECT_EQ(late.holders.count("node2"), 1U) << "the target still has remains";
    }
}

TEST(Move, GenerationsNeverRepeat) {
    const Sliver again = beginMove(rollBack(inPhase(MovePhase::preparing)), "node3", "op2");
    EXPECT_EQ(again.move.target_generation, 9U);
}

TEST(Move, PhaseNamesRoundTrip) {
    for (const MovePhase phase :
         {MovePhase::none, MovePhase::clearing, MovePhase::preparing, MovePhase::stopping, MovePhase::transferring}) {
        EXPECT_EQ(*parseMovePhase(toString(phase)), phase);
    }
    EXPECT_EQ(parseMovePhase("flying").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace homeslice::controller
