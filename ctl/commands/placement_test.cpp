// Where slivers are to be: the options of `slice create` and `slice plan`, and what is said of nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/commands/fake_controller.h"

namespace homeslice::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class PlacementTest : public ::testing::Test {
protected:
    Outcome run(const std::vector<std::string>& arguments) { return slicectl(controller_, arguments); }

    FakeController controller_;
};

TEST_F(PlacementTest, APlanAsksWithTheOptionsOfACreation) {
    const Outcome outcome =
        run({"slice", "plan", "web", "--image", "debian", "--slivers", "6", "--where", "ssd", "--where", "rack!=r9",
             "--spread-over", "rack", "--apart-from", "db", "--pack", "--cpu-reserve", "0.5"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(controller_.creations, 0);
    const v1::CreateSliceRequest& asked = controller_.planned;
    EXPECT_EQ(asked.sliver_count(), 6U);
    EXPECT_THAT(asked.rules().where(), ElementsAre("ssd", "rack!=r9"));
    EXPECT_EQ(asked.rules().spread_over(), "rack");
    EXPECT_THAT(asked.rules().apart_from(), ElementsAre("db"));
    EXPECT_TRUE(asked.rules().pack());
    EXPECT_EQ(asked.base().resources().cpu_reservation_millis(), 500U);
    EXPECT_THAT(outcome.out, HasSubstr("among the emptiest"));
    EXPECT_THAT(outcome.err, HasSubstr("not on node1: cordoned"));
}

TEST_F(PlacementTest, ADryRunIsAPlan) {
    const Outcome outcome =
        run({"slice", "create", "web", "--image", "debian", "--all-nodes", "--dry-run", "-o", "json"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(controller_.creations, 0);
    EXPECT_TRUE(controller_.planned.all_nodes());
    EXPECT_THAT(outcome.out, HasSubstr("\"node\": \"node2\""));
}

TEST_F(PlacementTest, WhatCannotBePlacedHasItsOwnExitStatus) {
    controller_.refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "3 nodes are asked for and 1 fits: cordoned 2"};
    const Outcome outcome = run({"slice", "plan", "web", "--image", "debian", "--nodes", "3"});
    EXPECT_EQ(outcome.exit_status, 2);
    EXPECT_THAT(outcome.err, HasSubstr("cordoned 2"));
}

TEST_F(PlacementTest, OneWayToNameNodes) {
    for (const std::vector<std::string>& extra : std::vector<std::vector<std::string>>{
             {}, {"--nodes", "1", "--all-nodes"}, {"--nodes", "1", "--on", "node1"}, {"--slivers", "0"}}) {
        std::vector<std::string> arguments{"slice", "plan", "web", "--image", "debian"};
        arguments.insert(arguments.end(), extra.begin(), extra.end());
        EXPECT_EQ(run(arguments).exit_status, 1);
    }
}

TEST_F(PlacementTest, LabelsAreSetAndRemoved) {
    const Outcome outcome = run({"node", "label", "node1", "rack=r1", "ssd-"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(controller_.node_set.name(), "node1");
    EXPECT_THAT(controller_.node_set.labels(), UnorderedElementsAre(Pair("rack", "r1")));
    EXPECT_THAT(controller_.node_set.remove_labels(), ElementsAre("ssd"));
    EXPECT_FALSE(controller_.node_set.has_cordoned());
    EXPECT_THAT(outcome.out, HasSubstr("rack=r1"));
    for (const char* bad : {"rack", "-", ""}) EXPECT_EQ(run({"node", "label", "node1", bad}).exit_status, 1) << bad;
}

TEST_F(PlacementTest, NodesAreCordonedAndDrained) {
    EXPECT_EQ(run({"node", "cordon", "node1"}).exit_status, 0);
    EXPECT_TRUE(controller_.node_set.cordoned());
    EXPECT_EQ(run({"node", "uncordon", "node1"}).exit_status, 0);
    EXPECT_FALSE(controller_.node_set.cordoned());
    controller_.addOperationState(v1::OPERATION_STATE_RUNNING, 1, 2);
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 2, 2);
    const Outcome drained = run({"node", "drain", "node1"});
    EXPECT_EQ(drained.exit_status, 0) << drained.err;
    EXPECT_EQ(controller_.drained, "node1");
    EXPECT_THAT(drained.err, HasSubstr("has no sliver left"));
    EXPECT_THAT(drained.out, Not(HasSubstr("op-1")));
}

}  // namespace
}  // namespace homeslice::ctl
