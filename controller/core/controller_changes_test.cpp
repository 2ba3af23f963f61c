// Changes to slices that run, through the whole core: new limits, freezing and thawing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using ::testing::HasSubstr;
using testing_support::TestWorld;

const SliverId kFirst{"web", 1};
const SliverId kWhole{"web", 0};

class ChangeTest : public ::testing::Test {
protected:
    void SetUp() override {
        world_.addLab(2);
        ASSERT_TRUE(world_.create("web", {"node1", "node2"}).ok());
        world_.settle();
    }

    absl::StatusOr<Operation> setPids(uint32_t pids, const std::string& request_id = "") {
        const auto change = [pids](Resources resources) -> absl::StatusOr<Resources> {
            resources.pids = pids;
            return resources;
        };
        return world_.controller().setSlice("web", {.resources = change}, request_id);
    }
    absl::StatusOr<Operation> setFrozen(const SliverId& id, bool frozen) {
        return world_.controller().setFrozen(id, frozen, "");
    }
    DesiredRun asked(const std::string& node, uint32_t index) { return world_.node(node).desired({"web", index})->run; }
    OperationState stateOf(const absl::StatusOr<Operation>& operation) { return world_.operation(operation->id).state; }

    TestWorld world_;
};

TEST_F(ChangeTest, NewLimitsReachEveryNodeUnderTheSameGeneration) {
    const auto operation = setPids(64);
    ASSERT_TRUE(operation.ok()) << operation.status();
    EXPECT_EQ(operation->total, 2U);
    EXPECT_EQ(world_.node("node2").desired({"web", 2})->base.resources.pids, 64U);
    EXPECT_EQ(world_.node("node2").desired({"web", 2})->generation, 1U);
    world_.obey("node1");
    EXPECT_EQ(stateOf(operation), OperationState::running);
    world_.obey("node2");
    EXPECT_EQ(stateOf(operation), OperationState::done);
    EXPECT_EQ(world_.controller().slice("web")->slice.base.resources.pids, 64U);
}

TEST_F(ChangeTest, SharesAndBalanceReachTheNodes) {
    auto operation = world_.controller().setSlice(
        "web", {.balance = Balance::round_robin, .shares = {{.index = 2, .weight = 5, .draining = true}}}, "");
    ASSERT_TRUE(operation.ok()) << operation.status();
    const auto desired = [this](uint32_t index) {
        return *world_.node(index == 1 ? "node1" : "node2").desired({"web", index});
    };
    EXPECT_EQ(desired(1).base.balance, Balance::round_robin);
    EXPECT_EQ(desired(1).weight, kDefaultWeight);
    EXPECT_FALSE(desired(1).draining);
    EXPECT_EQ(desired(2).weight, 5);
    EXPECT_TRUE(desired(2).draining);
    world_.settle();
    EXPECT_EQ(stateOf(operation), OperationState::done);
    operation = world_.controller().setSlice("web", {.shares = {{.index = 0, .draining = false}}}, "");
    ASSERT_TRUE(operation.ok()) << operation.status();
    world_.restart();
    world_.settle();
    EXPECT_EQ(desired(2).weight, 5);
    EXPECT_FALSE(desired(2).draining);
    EXPECT_EQ(world_.controller().setSlice("web", {.shares = {{.index = 9, .weight = 2}}}, "").status().code(),
              absl::StatusCode::kNotFound);
}

TEST_F(ChangeTest, AReportFromBeforeTheChangeDoesNotCount) {
    const NodeReport old = world_.node("node1").report();
    const auto operation = setPids(64);
    world_.controller().reportFromNode(world_.node("node1").handle, old);
    world_.obey("node2");
    EXPECT_EQ(stateOf(operation), OperationState::running);
    world_.restart();
    EXPECT_EQ(stateOf(operation), OperationState::running) << "a reconnect alone says nothing";
    world_.settle();
    EXPECT_EQ(stateOf(operation), OperationState::done);
}

TEST_F(ChangeTest, ANodeThatCannotSaysWhy) {
    const auto operation = setPids(64);
    world_.obey("node1");
    world_.node("node2").obey();
    SliverReport& report = world_.node("node2").slivers[{"web", 2}];
    report.stale = true;
    world_.report("node2");
    EXPECT_EQ(stateOf(operation), OperationState::running);
    report.reason = "pids.max: EINVAL";
    world_.report("node2");
    const Operation ended = world_.operation(operation->id);
    EXPECT_EQ(ended.state, OperationState::partial);
    ASSERT_EQ(ended.failures.size(), 1U);
    EXPECT_EQ(ended.failures[0], (OperationFailure{{"web", 2}, "node2", "pids.max: EINVAL"}));
}

TEST_F(ChangeTest, RefusesWhatCannotBeSet) {
    const auto code = [this](const std::string& name, const std::function<absl::Status(Resources&)>& spoil) {
        const auto change = [&](Resources resources) -> absl::StatusOr<Resources> {
            const absl::Status spoiled = spoil(resources);
            if (!spoiled.ok()) return spoiled;
            return resources;
        };
        return world_.controller().setSlice(name, {.resources = change}, "").status().code();
    };
    const auto nothing = [](Resources&) { return absl::OkStatus(); };
    EXPECT_EQ(code("db", nothing), absl::StatusCode::kNotFound);
    EXPECT_EQ(code("web", [](Resources&) { return invalidArgument("no"); }), absl::StatusCode::kInvalidArgument);
    const auto move_disk = [](Resources& resources) {
        resources.disk_medium = DiskMedium::memory;
        return absl::OkStatus();
    };
    EXPECT_EQ(code("web", move_disk), absl::StatusCode::kFailedPrecondition);
    const auto starve = [](Resources& resources) {
        resources.pids = 1;
        return absl::OkStatus();
    };
    EXPECT_EQ(code("web", starve), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(world_.controller().slice("web")->slice.base.resources, Resources());
    ASSERT_TRUE(world_.controller().deleteSlice("web", "").ok());
    EXPECT_EQ(code("web", nothing), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ChangeTest, ARepeatedRequestAnswersTheFirstOperation) {
    const auto first = setPids(64, "id-1");
    EXPECT_EQ(setPids(65, "id-1")->id, first->id);
    EXPECT_EQ(world_.controller().slice("web")->slice.base.resources.pids, 64U);
}

TEST_F(ChangeTest, AWholeSliceStandsStillAndGoesOn) {
    const auto freeze = setFrozen(kWhole, true);
    ASSERT_TRUE(freeze.ok()) << freeze.status();
    EXPECT_EQ(asked("node1", 1), DesiredRun::frozen);
    EXPECT_EQ(asked("node2", 2), DesiredRun::frozen);
    world_.obey("node1");
    EXPECT_EQ(stateOf(freeze), OperationState::running);
    world_.obey("node2");
    EXPECT_EQ(stateOf(freeze), OperationState::done);
    EXPECT_TRUE(world_.controller().sliver(kFirst)->frozen);
    EXPECT_EQ(world_.controller().sliver(kFirst)->state, SliverState::frozen);
    EXPECT_EQ(world_.controller().slice("web")->running, 0U);
    world_.restart();
    EXPECT_EQ(asked("node1", 1), DesiredRun::frozen) << "it is stored";
    const auto thaw = setFrozen(kWhole, false);
    world_.settle();
    EXPECT_EQ(stateOf(thaw), OperationState::done);
    EXPECT_EQ(world_.controller().slice("web")->running, 2U);
}

TEST_F(ChangeTest, OneSliverStandsStillAlone) {
    const auto freeze = setFrozen(kFirst, true);
    EXPECT_EQ(freeze->total, 1U);
    EXPECT_EQ(asked("node2", 2), DesiredRun::running);
    world_.obey("node1");
    EXPECT_EQ(stateOf(freeze), OperationState::done);
}

TEST_F(ChangeTest, ALaterThawOverrulesAFreeze) {
    const auto freeze = setFrozen(kWhole, true);
    const auto thaw = setFrozen(kFirst, false);
    ASSERT_TRUE(thaw.ok()) << thaw.status();
    const Operation overruled = world_.operation(freeze->id);
    EXPECT_EQ(overruled.state, OperationState::failed);
    EXPECT_THAT(overruled.step, HasSubstr("thaw"));
    world_.settle();
    EXPECT_EQ(stateOf(thaw), OperationState::done);
    EXPECT_EQ(asked("node2", 2), DesiredRun::frozen);
}

TEST_F(ChangeTest, FreezingAndMovingExcludeEachOther) {
    ASSERT_TRUE(setFrozen(kFirst, true).ok());
    world_.settle();
    const auto move = [this] { return world_.controller().moveSliver(kFirst, "node2", "").status(); };
    EXPECT_EQ(move().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(messageOf(move()), HasSubstr("thaw it first"));
    ASSERT_TRUE(setFrozen(kFirst, false).ok());
    world_.settle();
    EXPECT_TRUE(move().ok());
    EXPECT_EQ(setFrozen(kWhole, true).status().code(), absl::StatusCode::kAborted);
    EXPECT_EQ(setFrozen({"web", 2}, true).status().code(), absl::StatusCode::kOk);
}

TEST_F(ChangeTest, RefusesToFreezeWhatIsNot) {
    EXPECT_EQ(setFrozen({"db", 0}, true).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(setFrozen({"web", 9}, true).status().code(), absl::StatusCode::kNotFound);
    ASSERT_TRUE(world_.controller().deleteSlice("web", "").ok());
    EXPECT_EQ(setFrozen(kWhole, true).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ChangeTest, LimitsAreSetWhileASliverMoves) {
    ASSERT_TRUE(world_.controller().moveSliver(kFirst, "node2", "").ok());
    const auto operation = setPids(64);
    ASSERT_TRUE(operation.ok()) << operation.status();
    world_.settle();
    EXPECT_EQ(stateOf(operation), OperationState::done);
    EXPECT_EQ(world_.node("node2").desired(kFirst)->base.resources.pids, 64U);
}

}  // namespace
}  // namespace homeslice::controller
