// Operations, and moving slivers off loaded nodes, on the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/commands/fake_controller.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

class OperationCommands : public ::testing::Test {
protected:
    Outcome run(const std::vector<std::string>& arguments) { return slicectl(controller_, arguments); }

    FakeController controller_;
};

TEST_F(OperationCommands, ListsWhatRunsAndRan) {
    controller_.addOperationState(v1::OPERATION_STATE_RUNNING, 1, 3);
    controller_.operation_states[0].set_kind("drain node");
    controller_.operation_states[0].set_subject("node1");
    const Outcome all = run({"operation", "ls"});
    EXPECT_EQ(all.exit_status, 0) << all.err;
    EXPECT_THAT(all.out, HasSubstr("drain node"));
    EXPECT_EQ(controller_.listed_operations.newest(), 100U);
    run({"operation", "ls", "web", "--running", "--tail", "5"});
    EXPECT_EQ(controller_.listed_operations.subject(), "web");
    EXPECT_TRUE(controller_.listed_operations.running());
    EXPECT_EQ(controller_.listed_operations.newest(), 5U);
}

TEST_F(OperationCommands, ShowListsTheFailures) {
    controller_.addOperationState(v1::OPERATION_STATE_PARTIAL, 2, 3);
    v1::OperationFailure* const failure = controller_.operation_states[0].add_failures();
    failure->mutable_sliver()->set_slice("web");
    failure->mutable_sliver()->set_index(2);
    failure->set_node("node2");
    failure->set_reason("no such image");
    const Outcome shown = run({"operation", "show", "op-1"});
    EXPECT_EQ(shown.exit_status, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("web/2    node2   no such image"));
    controller_.operation_states.clear();
    EXPECT_EQ(run({"operation", "show", "op-2"}).exit_status, 3);
    EXPECT_THAT(run({"operation", "show", "../x"}).err, HasSubstr("operation '../x' is not valid"));
}

TEST_F(OperationCommands, CancelAnswersWhatBecameOfIt) {
    const Outcome outcome = run({"operation", "cancel", "op-1", "-o", "json"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(controller_.cancelled, "op-1");
    EXPECT_THAT(outcome.out, HasSubstr("\"state\": \"cancelled\""));
    controller_.refusal = {grpc::StatusCode::FAILED_PRECONDITION, "operation op-1 (freeze) has ended: done"};
    EXPECT_EQ(run({"operation", "cancel", "op-1"}).exit_status, 4);
}

TEST_F(OperationCommands, WhoWaitsForACancelledOperationHearsOfIt) {
    controller_.addSliver("web", 1, "node1");
    controller_.addOperationState(v1::OPERATION_STATE_CANCELLED, 0, 1);
    controller_.operation_states[0].set_step("cancelled: moves under way went back");
    const Outcome outcome = run({"sliver", "move", "web/1", "--to", "node2"});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("cancelled: moves under way went back"));
    EXPECT_EQ(outcome.out, "");
}

TEST_F(OperationCommands, ARebalancingIsShownBeforeItIsDone) {
    const Outcome plan = run({"node", "rebalance", "--dry-run"});
    EXPECT_EQ(plan.exit_status, 0) << plan.err;
    EXPECT_THAT(plan.out, HasSubstr("web/3    node1   node2   load 75% -> 50%, 10% -> 35%"));
    EXPECT_EQ(controller_.rebalancings, 0);
    controller_.addOperationState(v1::OPERATION_STATE_DONE, 2, 2);
    const Outcome done = run({"node", "rebalance"});
    EXPECT_EQ(done.exit_status, 0) << done.err;
    EXPECT_THAT(done.err, HasSubstr("evened out by moving 2 slivers"));
    EXPECT_EQ(controller_.rebalancings, 1);
}

}  // namespace
}  // namespace homeslice::ctl
