// Moves through the whole core: every phase, every rollback, and a killed controller in each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using ::testing::HasSubstr;
using testing_support::FakeNode;
using testing_support::TestWorld;

const SliverId kId{"web", 1};

class MoveTest : public ::testing::Test {
protected:
    void SetUp() override {
        world_.addLab(3);
        ASSERT_TRUE(world_.create("web", {"node1"}).ok());
        world_.settle();
    }

    void begin(const std::string& target = "node2") {
        const auto operation = world_.controller().moveSliver(kId, target, "");
        ASSERT_TRUE(operation.ok()) << operation.status();
        operation_ = operation->id;
    }
    Sliver row() { return world_.store().load()->slivers.at(kId); }
    MovePhase phase() { return row().move.phase; }
    Operation operation() { return world_.operation(operation_); }
    // Brings a begun move from node1 to node2 into `phase`.
    void reach(MovePhase phase) {
        if (phase == MovePhase::preparing) return;
        world_.obey("node2");
        if (phase == MovePhase::stopping) return;
        world_.obey("node1");
    }
    void targetFails() {
        FakeNode& target = world_.node("node2");
        target.obey();
        target.slivers[kId].state = SliverState::failed;
        target.slivers[kId].image_ready = false;
        target.slivers[kId].reason = "no space";
        world_.report("node2");
    }
    // All other nodes go on reporting while `silent` does not.
    void silence(const std::string& silent) {
        world_.pass(std::chrono::seconds(16));
        for (const char* name : {"node1", "node2", "node3"}) {
            if (name != silent) world_.report(name);
        }
        world_.controller().tick();
    }

    TestWorld world_;
    std::string operation_;
};

constexpr MovePhase kPhases[] = {MovePhase::preparing, MovePhase::stopping, MovePhase::transferring};

TEST_F(MoveTest, GoesThroughAllPhases) {
    begin();
    ASSERT_EQ(phase(), MovePhase::preparing);
    EXPECT_EQ(world_.node("node1").desired(kId)->run, DesiredRun::running);
    EXPECT_EQ(world_.node("node2").desired(kId)->run, DesiredRun::prepared);
    EXPECT_EQ(world_.node("node2").desired(kId)->generation, 2U);
    world_.report("node2");
    ASSERT_EQ(phase(), MovePhase::preparing) << "the image is not there yet";

    world_.obey("node2");
    ASSERT_EQ(phase(), MovePhase::stopping);
    EXPECT_EQ(world_.node("node1").desired(kId)->run, DesiredRun::stopped);
    EXPECT_EQ(world_.node("node1").desired(kId)->generation, 1U);
    world_.report("node1");
    ASSERT_EQ(phase(), MovePhase::stopping) << "it runs still";

    world_.obey("node1");
    ASSERT_EQ(phase(), MovePhase::transferring);
    const SliverSpec* target = world_.node("node2").desired(kId);
    EXPECT_EQ(target->run, DesiredRun::running);
    ASSERT_TRUE(target->disk_source.has_value());
    EXPECT_EQ(target->disk_source->node, world_.node("node1").hello.care_of_address);
    EXPECT_EQ(target->disk_source->generation, 1U);
    EXPECT_EQ(world_.node("node1").desired(kId)->run, DesiredRun::stopped) << "the disk is needed until the end";
    const SliverView view = world_.controller().sliver(kId).value();
    EXPECT_EQ(view.node, "node2");
    EXPECT_EQ(view.moving_from, "node1");

    world_.obey("node2");
    EXPECT_EQ(phase(), MovePhase::none);
    EXPECT_EQ(operation().state, OperationState::done);
    EXPECT_EQ(world_.node("node1").desired(kId), nullptr);
    EXPECT_FALSE(world_.node("node2").desired(kId)->disk_source.has_value());
    EXPECT_EQ(row().holders.size(), 2U) << "node1 has not removed its disk yet";
    world_.obey("node1");
    EXPECT_EQ(row().holders, std::set<std::string>{"node2"});
    EXPECT_EQ(world_.controller().sliver(kId)->state, SliverState::running);
}

TEST_F(MoveTest, AnOldReportDoesNotCountForANewPhase) {
    // The sliver had exited by itself when the move began: that word is older than the order to stop.
    world_.node("node1").slivers[kId].state = SliverState::exited;
    world_.report("node1");
    const NodeReport old = world_.node("node1").report();
    begin();
    world_.obey("node2");
    world_.controller().reportFromNode(world_.node("node1").handle, old);
    EXPECT_EQ(phase(), MovePhase::stopping);
    world_.report("node1");
    EXPECT_EQ(phase(), MovePhase::transferring);
}

TEST_F(MoveTest, GoesOnAfterARestartInEachPhase) {
    std::string target = "node2";
    std::string source = "node1";
    for (const MovePhase killed_in : kPhases) {
        begin(target);
        if (killed_in != MovePhase::preparing) world_.obey(target);
        if (killed_in == MovePhase::transferring) world_.obey(source);
        ASSERT_EQ(phase(), killed_in);
        world_.restart();
        ASSERT_EQ(phase(), killed_in) << "a reconnect alone moves nothing";
        world_.settle();
        EXPECT_EQ(phase(), MovePhase::none);
        EXPECT_EQ(operation().state, OperationState::done);
        EXPECT_EQ(row().node, target);
        std::swap(source, target);
    }
}

TEST_F(MoveTest, ATargetThatFailsIsRolledBackInEachPhase) {
    uint64_t generation = row().generation;
    for (const MovePhase failed_in : kPhases) {
        begin();
        reach(failed_in);
        ASSERT_EQ(phase(), failed_in);
        targetFails();
        EXPECT_EQ(phase(), MovePhase::none);
        EXPECT_EQ(row().node, "node1");
        EXPECT_EQ(operation().state, OperationState::failed);
        ASSERT_EQ(operation().failures.size(), 1U);
        EXPECT_EQ(operation().failures[0].reason, "node node2: no space");
        EXPECT_EQ(world_.node("node2").desired(kId), nullptr);
        const SliverSpec* source = world_.node("node1").desired(kId);
        EXPECT_EQ(source->run, DesiredRun::running);
        EXPECT_FALSE(source->disk_source.has_value());
        EXPECT_GE(source->generation, generation);
        EXPECT_EQ(source->generation > generation, failed_in != MovePhase::preparing);
        generation = source->generation;
        world_.settle();
        EXPECT_EQ(row().holders, std::set<std::string>{"node1"});
        EXPECT_EQ(world_.controller().sliver(kId)->state, SliverState::running);
    }
}

TEST_F(MoveTest, ATargetThatIsLostIsRolledBackInEachPhase) {
    for (const MovePhase lost_in : kPhases) {
        begin();
        reach(lost_in);
        ASSERT_EQ(phase(), lost_in);
        silence("node2");
        EXPECT_EQ(phase(), MovePhase::none);
        EXPECT_EQ(row().node, "node1");
        EXPECT_EQ(operation().state, OperationState::failed);
        EXPECT_EQ(row().holders.count("node2"), 1U) << "it may have something, when it comes back";
        world_.settle();
        EXPECT_EQ(row().holders, std::set<std::string>{"node1"});
    }
}

TEST_F(MoveTest, ALostSourceEndsTheMoveBeforeTheDiskIsOnItsWay) {
    begin();
    reach(MovePhase::stopping);
    silence("node1");
    EXPECT_EQ(operation().state, OperationState::failed);
    EXPECT_THAT(operation().failures[0].reason, HasSubstr("node1 is away"));
    world_.settle();
    begin();
    reach(MovePhase::transferring);
    silence("node1");
    EXPECT_EQ(phase(), MovePhase::transferring);
    world_.obey("node2");
    EXPECT_EQ(operation().state, OperationState::done);
}

TEST_F(MoveTest, NodesGetTimeToComeBackAfterARestart) {
    begin();
    world_.start();
    world_.controller().tick();
    EXPECT_EQ(phase(), MovePhase::preparing);
    world_.pass(std::chrono::seconds(16));
    world_.controller().tick();
    EXPECT_EQ(phase(), MovePhase::none);
    EXPECT_EQ(operation().state, OperationState::failed);
}

TEST_F(MoveTest, RemainsOnTheTargetAreClearedFirst) {
    begin("node2");
    world_.obey("node2");
    world_.obey("node1");
    world_.obey("node2");
    ASSERT_EQ(row().node, "node2");
    begin("node1");  // which still has the disk of the first move
    EXPECT_EQ(phase(), MovePhase::clearing);
    EXPECT_EQ(world_.node("node1").desired(kId), nullptr);
    world_.restart();
    EXPECT_EQ(phase(), MovePhase::clearing);
    world_.settle();
    EXPECT_EQ(row().node, "node1");
    EXPECT_EQ(operation().state, OperationState::done);
    EXPECT_EQ(row().generation, 3U);
}

TEST_F(MoveTest, DeletionDuringAMoveCleansUpBothNodes) {
    begin();
    reach(MovePhase::transferring);
    const auto deletion = world_.controller().deleteSlice("web", "");
    world_.obey("node2");
    EXPECT_EQ(world_.operation(deletion->id).state, OperationState::running) << "node1 has the disk still";
    world_.obey("node1");
    EXPECT_EQ(world_.operation(deletion->id).state, OperationState::done);
}

TEST_F(MoveTest, RefusesWhatCannotBe) {
    world_.addNode("ha", true);
    const auto code = [this](const SliverId& id, const std::string& to) {
        return world_.controller().moveSliver(id, to, "").status().code();
    };
    EXPECT_EQ(code({"web", 9}, "node2"), absl::StatusCode::kNotFound);
    EXPECT_EQ(code({"db", 1}, "node2"), absl::StatusCode::kNotFound);
    EXPECT_EQ(code(kId, "node9"), absl::StatusCode::kNotFound);
    EXPECT_EQ(code(kId, "node1"), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(code(kId, "ha"), absl::StatusCode::kFailedPrecondition);
    world_.controller().disconnectNode(world_.node("node3").handle);
    world_.pass(std::chrono::seconds(6));  // long after the controller's start
    for (const std::string node : {"node1", "node2"}) world_.report(node);
    EXPECT_EQ(code(kId, "node3"), absl::StatusCode::kFailedPrecondition);
    begin();
    EXPECT_EQ(code(kId, "node2"), absl::StatusCode::kAborted);
}

TEST_F(MoveTest, ARepeatedRequestJoinsTheMove) {
    const auto first = world_.controller().moveSliver(kId, "node2", "request");
    EXPECT_EQ(world_.controller().moveSliver(kId, "node2", "request")->id, first->id);
    world_.settle();
    EXPECT_EQ(world_.controller().moveSliver(kId, "node2", "request")->state, OperationState::done);
}

}  // namespace
}  // namespace homeslice::controller
