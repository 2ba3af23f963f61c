// Nodes that are silent for too long, through the whole core: what becomes of their slivers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using testing_support::TestWorld;

class LossTest : public ::testing::Test {
protected:
    void SetUp() override {
        world_.addLab(3);
        world_.settle();
    }

    void create(const PlacementRequest& where, OnNodeLoss on_node_loss = OnNodeLoss::replace,
                uint32_t cpu_reservation_millis = 0) {
        CreateSliceRequest request;
        request.name = "web";
        request.base.image = "busybox";
        request.base.resources.cpu_reservation_millis = cpu_reservation_millis;
        request.where = where;
        request.where.rules.on_node_loss = on_node_loss;
        const auto created = world_.controller().createSlice(request);
        ASSERT_TRUE(created.ok()) << created.status();
        world_.settle();
    }
    Sliver row(uint32_t index = 1) { return world_.store().load()->slivers.at({"web", index}); }
    Operation replacement() {
        for (const Operation& operation : world_.controller().operations()) {
            if (operation.kind == OperationKind::replaceSlivers) return operation;
        }
        return {};
    }

    TestWorld world_;
};

TEST_F(LossTest, ANodeThatIsCutOffKeepsItsSliversUntilItsTimeIsOver) {
    create({.nodes = {"node1"}});
    world_.passWithout({"node1"}, seconds(119));
    EXPECT_EQ(row().node, "node1");
    EXPECT_EQ(row().generation, 1U);
    world_.obey("node1");
    world_.passWithout({"node1"}, seconds(119));
    EXPECT_EQ(row().node, "node1") << "it was back in between";
    EXPECT_EQ(replacement().id, "");
}

TEST_F(LossTest, ALostNodesSliversAreSomewhereElseUnderAHigherGeneration) {
    create({.nodes = {"node1"}, .sliver_count = 3});
    world_.passWithout({"node1"}, seconds(130));
    for (const uint32_t index : {1U, 2U, 3U}) {
        EXPECT_NE(row(index).node, "node1");
        EXPECT_EQ(row(index).generation, 2U);
        EXPECT_TRUE(row(index).holders.contains("node1")) << "it may still have something";
    }
    const Operation operation = replacement();
    EXPECT_EQ(operation.state, OperationState::done) << operation.step;
    EXPECT_EQ(operation.node, "node1");
    EXPECT_EQ(operation.done, 3U);
    const SliverSpec* anew = world_.node(row().node).desired({"web", 1});
    ASSERT_NE(anew, nullptr);
    EXPECT_FALSE(anew->disk_source.has_value()) << "its disk is out of reach";
    const std::vector<AuditEntry> log = *world_.controller().auditLog(0);
    ASSERT_EQ(log.size(), 1U);
    EXPECT_EQ(log[0].what, "ReplaceSlivers");
    EXPECT_EQ(log[0].subject, "node1");
    EXPECT_EQ(log[0].outcome, "lost: 3 slivers are placed anew");
}

TEST_F(LossTest, WhatIsBackIsRemoved) {
    create({.nodes = {"node1"}});
    world_.passWithout({"node1"}, seconds(130));
    world_.connect("node1");
    EXPECT_EQ(world_.node("node1").desired({"web", 1}), nullptr);
    world_.settle();
    EXPECT_THAT(row().holders, ElementsAre(row().node));
    EXPECT_EQ(row().generation, 2U);
}

TEST_F(LossTest, ASliceMayWaitForItsNode) {
    create({.nodes = {"node1"}}, OnNodeLoss::stay);
    world_.passWithout({"node1"}, seconds(300));
    EXPECT_EQ(row().node, "node1");
    SliceChange change;
    change.on_node_loss = OnNodeLoss::replace;
    ASSERT_TRUE(world_.controller().setSlice("web", change, "").ok());
    world_.passWithout({"node1"}, seconds(2));
    EXPECT_NE(row().node, "node1") << "its owner has changed its mind";
}

TEST_F(LossTest, WhatStandsStillStays) {
    create({.nodes = {"node1"}});
    ASSERT_TRUE(world_.controller().setFrozen({"web", 0}, true, "").ok());
    world_.settle();
    world_.passWithout({"node1"}, seconds(130));
    EXPECT_EQ(row().node, "node1");
}

TEST_F(LossTest, WithoutRoomItWaitsAndSaysWhy) {
    create({.nodes = {"node1", "node2", "node3"}}, OnNodeLoss::replace, 2000);
    world_.passWithout({"node1"}, seconds(130));
    EXPECT_EQ(row().node, "node1");
    EXPECT_EQ(replacement().state, OperationState::running);
    EXPECT_THAT(replacement().step, HasSubstr("1 of lost node node1 wait for room"));
    EXPECT_THAT(replacement().step, HasSubstr("less than 2000m CPU left 2 (node2, node3)"));
    EXPECT_EQ(world_.controller().cancelOperation(replacement().id).status().code(),
              absl::StatusCode::kFailedPrecondition);
    world_.addNode("node4");
    world_.passWithout({"node1"}, seconds(3));
    EXPECT_EQ(row().node, "node4");
    EXPECT_EQ(replacement().state, OperationState::done);
}

TEST_F(LossTest, ANodeThatComesBackBeforeThereIsRoomKeepsIts) {
    create({.nodes = {"node1", "node2", "node3"}}, OnNodeLoss::replace, 2000);
    world_.passWithout({"node1"}, seconds(130));
    world_.connect("node1");
    world_.settle();
    EXPECT_EQ(row().node, "node1");
    EXPECT_EQ(row().generation, 1U);
    EXPECT_EQ(replacement().state, OperationState::done) << replacement().step;
}

TEST_F(LossTest, AControllersOwnAbsenceIsNoNodesLoss) {
    create({.nodes = {"node1"}});
    world_.pass(seconds(3600));
    world_.start();
    world_.connect("node2");
    world_.connect("node3");
    world_.passWithout({"node1"}, seconds(119));
    EXPECT_EQ(row().node, "node1") << "it has two minutes to come back";
    world_.passWithout({"node1"}, seconds(3));
    EXPECT_NE(row().node, "node1");
}

TEST_F(LossTest, TwoNodesLostInTurnLeaveOneSliver) {
    create({.nodes = {"node1"}});
    world_.passWithout({"node1"}, seconds(130));
    const std::string second = row().node;
    world_.passWithout({"node1", second}, seconds(130));
    EXPECT_EQ(row().generation, 3U);
    EXPECT_THAT(row().holders, UnorderedElementsAre("node1", "node2", "node3"));
    world_.connect("node1");
    world_.connect(second);
    world_.settle();
    EXPECT_THAT(row().holders, ElementsAre(row().node));
}

TEST_F(LossTest, AMoveToOrFromALostNodeEndsFirst) {
    create({.nodes = {"node1"}});
    ASSERT_TRUE(world_.controller().moveSliver({"web", 1}, "node2", "").ok());
    world_.passWithout({"node1", "node2"}, seconds(130));
    EXPECT_EQ(row().node, "node3");
    EXPECT_FALSE(row().moving());
}

}  // namespace
}  // namespace homeslice::controller
