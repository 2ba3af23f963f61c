// Operations as clients see them, through the whole core: history, cancellation, and moving slivers off loaded nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing_support::TestWorld;

class OperationsTest : public ::testing::Test {
protected:
    void SetUp() override {
        world_.addLab(3);
        world_.settle();
    }

    Operation create(const std::string& name, const PlacementRequest& where, uint32_t cpu_reservation_millis = 0) {
        CreateSliceRequest request;
        request.name = name;
        request.base.image = "busybox";
        request.base.resources.cpu_reservation_millis = cpu_reservation_millis;
        request.where = where;
        const auto created = world_.controller().createSlice(request);
        EXPECT_TRUE(created.ok()) << created.status();
        return created.value_or(Operation());
    }
    Operation cancel(const std::string& id) {
        const auto cancelled = world_.controller().cancelOperation(id);
        EXPECT_TRUE(cancelled.ok()) << cancelled.status();
        return cancelled.value_or(Operation());
    }
    Sliver row(const std::string& slice, uint32_t index = 1) {
        return world_.store().load()->slivers.at({slice, index});
    }
    std::map<std::string, int> sliversByNode() {
        std::map<std::string, int> counts;
        const auto views = world_.controller().slivers("");
        for (const SliverView& view : *views) counts[view.node] += 1;
        return counts;
    }

    TestWorld world_;
};

TEST_F(OperationsTest, HistoryIsInTheOrderOfTime) {
    world_.pass(std::chrono::seconds(1));
    create("web", {.nodes = {"node1"}});
    world_.settle();
    world_.pass(std::chrono::seconds(1));
    ASSERT_TRUE(world_.controller().deleteSlice("web", "").ok());
    world_.settle();
    world_.restart();
    std::vector<std::string> kinds;
    for (const Operation& operation : world_.controller().operations()) {
        EXPECT_EQ(operation.state, OperationState::done);
        kinds.emplace_back(toString(operation.kind));
    }
    EXPECT_THAT(kinds, ElementsAre("import image", "create slice", "delete slice"));
    EXPECT_EQ(world_.controller().operation("nothing").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(OperationsTest, ACreationThatIsCancelledTakesItsSliceAway) {
    const Operation creation = create("web", {.nodes = {"node1", "node2"}});
    world_.obey("node1");  // node2 never answers
    EXPECT_EQ(cancel(creation.id).state, OperationState::cancelled);
    EXPECT_TRUE(world_.controller().slice("web")->slice.deleting);
    EXPECT_EQ(cancel(creation.id).state, OperationState::cancelled) << "again is fine";
    world_.settle();
    EXPECT_FALSE(world_.controller().slice("web").ok());
    EXPECT_EQ(world_.operation(creation.id).step, "cancelled: the slice is removed");
}

TEST_F(OperationsTest, AMoveThatHangsGoesBackAtOnce) {
    create("web", {.nodes = {"node1"}});
    world_.settle();
    const Operation move = *world_.controller().moveSliver({"web", 1}, "node2", "");
    world_.obey("node2");
    world_.obey("node1");  // node1 has stopped it, node2 says no more
    ASSERT_EQ(row("web").move.phase, MovePhase::transferring);
    EXPECT_EQ(cancel(move.id).state, OperationState::cancelled);
    EXPECT_EQ(row("web").node, "node1");
    EXPECT_EQ(row("web").generation, 3U) << "above what node2 may have started";
    EXPECT_EQ(world_.node("node1").desired({"web", 1})->run, DesiredRun::running);
    EXPECT_EQ(world_.node("node2").desired({"web", 1}), nullptr);
    world_.settle();
    EXPECT_EQ(world_.operation(move.id).state, OperationState::cancelled);
    EXPECT_THAT(row("web").holders, ElementsAre("node1"));
}

TEST_F(OperationsTest, ADrainThatIsCancelledTakesItsMovesBack) {
    create("web", {.nodes = {"node1"}, .sliver_count = 6});
    world_.settle();
    const Operation drain = *world_.controller().drainNode("node1", "");
    EXPECT_EQ(cancel(drain.id).state, OperationState::cancelled);
    world_.settle();
    EXPECT_EQ(sliversByNode(), (std::map<std::string, int>{{"node1", 6}}));
    EXPECT_TRUE(world_.controller().node("node1")->node.cordoned);
}

TEST_F(OperationsTest, AFreezeIsTakenBack) {
    create("web", {.nodes = {"node1"}});
    world_.settle();
    const Operation freeze = *world_.controller().setFrozen({"web", 0}, true, "");
    cancel(freeze.id);
    EXPECT_EQ(world_.node("node1").desired({"web", 1})->run, DesiredRun::running);
    const Operation thaw = *world_.controller().setFrozen({"web", 1}, false, "");
    EXPECT_EQ(cancel(thaw.id).state, OperationState::cancelled);
    EXPECT_EQ(world_.node("node1").desired({"web", 1})->run, DesiredRun::frozen);
}

TEST_F(OperationsTest, WhatCannotBeTakenBackSaysSo) {
    const Operation creation = create("web", {.nodes = {"node1"}});
    world_.settle();
    const auto late = world_.controller().cancelOperation(creation.id);
    EXPECT_EQ(late.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(messageOf(late.status()), HasSubstr("has ended: all slivers run"));
    const Operation deletion = *world_.controller().deleteSlice("web", "");
    EXPECT_THAT(messageOf(world_.controller().cancelOperation(deletion.id).status()),
                HasSubstr("cannot be taken back"));
    EXPECT_EQ(world_.controller().cancelOperation("x").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(OperationsTest, AnImportEndsWithItsControllerOrWithACancellation) {
    const Operation interrupted = *world_.controller().beginImport("debian");
    world_.controller().noteImported(interrupted.id, 4096);
    EXPECT_EQ(world_.controller().operation(interrupted.id)->step, "4096 bytes have come");
    world_.restart();
    EXPECT_EQ(world_.operation(interrupted.id).state, OperationState::failed);
    const Operation import = *world_.controller().beginImport("debian");
    cancel(import.id);
    world_.controller().endImport(import.id, cancelled("too late to count"));
    EXPECT_EQ(world_.operation(import.id).state, OperationState::cancelled);
    EXPECT_FALSE(world_.store().load()->images.contains("debian"));
}

TEST_F(OperationsTest, APartOfACreationThatFailsIsNamedAndTheRestIsKept) {
    const Operation creation = create("web", {.nodes = {"node1", "node2", "node3"}});
    for (const std::string node : {"node1", "node2", "node3"}) world_.node(node).obey();
    SliverReport& broken = world_.node("node2").slivers.at({"web", 2});
    broken.state = SliverState::failed;
    broken.reason = "no space left on device";
    for (const std::string node : {"node1", "node2", "node3"}) world_.report(node);
    const Operation ended = world_.operation(creation.id);
    EXPECT_EQ(ended.state, OperationState::partial);
    EXPECT_EQ(ended.done, 2U);
    ASSERT_EQ(ended.failures.size(), 1U);
    EXPECT_EQ(ended.failures[0].node, "node2");
    EXPECT_EQ(ended.failures[0].reason, "no space left on device");
    EXPECT_EQ(world_.controller().slice("web")->running, 2U);
}

TEST_F(OperationsTest, ARebalancingEvensOutGuarantees) {
    create("web", {.nodes = {"node1"}, .sliver_count = 4}, 500);
    world_.settle();
    const std::vector<RebalanceStep> plan = world_.controller().planRebalance();
    ASSERT_EQ(plan.size(), 2U);
    EXPECT_EQ(plan[0].from, "node1");
    EXPECT_EQ(plan[0].reason, "load 100% -> 75%, 0% -> 25%");
    EXPECT_EQ(sliversByNode()["node1"], 4) << "a plan moves nothing";
    const Operation begun = *world_.controller().rebalanceNodes("once");
    EXPECT_EQ(world_.controller().rebalanceNodes("once")->id, begun.id);
    world_.restart();
    world_.settle();
    const Operation ended = world_.operation(begun.id);
    EXPECT_EQ(ended.state, OperationState::done) << ended.step;
    EXPECT_EQ(ended.done, 2U);
    EXPECT_EQ(sliversByNode(), (std::map<std::string, int>{{"node1", 2}, {"node2", 1}, {"node3", 1}}));
    EXPECT_THAT(world_.controller().planRebalance(), IsEmpty());
}

TEST_F(OperationsTest, ARebalancingKeepsToTheRules) {
    PlacementRules rules;
    rules.where = {*parseLabelTerm("ssd")};
    SetNodeRequest label;
    label.labels = {{"ssd", "yes"}};
    label.name = "node1";
    ASSERT_TRUE(world_.controller().setNode(label).ok());
    create("web", {.nodes = {"node1"}, .sliver_count = 4, .rules = rules});
    world_.settle();
    EXPECT_THAT(world_.controller().planRebalance(), IsEmpty());
    const Operation nothing = *world_.controller().rebalanceNodes("");
    EXPECT_EQ(nothing.state, OperationState::done);
    EXPECT_EQ(nothing.total, 0U);
}

TEST_F(OperationsTest, AMoveThatFailsIsNotTriedAgainByTheSameRebalancing) {
    create("web", {.nodes = {"node1"}, .sliver_count = 2}, 500);
    world_.settle();
    const Operation begun = *world_.controller().rebalanceNodes("");
    for (int i = 0; i < 20 && !world_.operation(begun.id).ended(); ++i) {
        for (const std::string node : {"node2", "node3"}) {
            world_.node(node).obey();
            for (auto& [id, sliver] : world_.node(node).slivers) sliver.state = SliverState::failed;
            world_.report(node);
        }
        world_.obey("node1");
    }
    const Operation ended = world_.operation(begun.id);
    EXPECT_TRUE(ended.ended());
    EXPECT_NE(ended.state, OperationState::done);
    EXPECT_EQ(sliversByNode()["node1"], 2);
}

TEST_F(OperationsTest, APolicyRebalancesByItselfAboveItsLimit) {
    world_.config.rebalance_above = 60;
    world_.restart();
    create("web", {.nodes = {"node1"}, .sliver_count = 2}, 500);
    world_.settle();
    world_.passWithout({}, std::chrono::seconds(40));
    EXPECT_EQ(sliversByNode()["node1"], 2) << "50 points are not above 60";
    create("more", {.nodes = {"node1"}, .sliver_count = 1}, 500);
    world_.settle();
    world_.passWithout({}, std::chrono::seconds(70));
    EXPECT_LT(sliversByNode()["node1"], 3);
    std::vector<OperationState> states;
    for (const Operation& operation : world_.controller().operations()) {
        if (operation.kind == OperationKind::rebalance) states.push_back(operation.state);
    }
    EXPECT_THAT(states, ElementsAre(OperationState::done)) << "and then leaves them alone";
    const std::vector<AuditEntry> log = *world_.controller().auditLog(0);
    ASSERT_EQ(log.size(), 1U);
    EXPECT_EQ(log[0].who, "controller");
    EXPECT_EQ(log[0].what, "RebalanceNodes");
}

}  // namespace
}  // namespace homeslice::controller
