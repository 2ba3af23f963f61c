// The controller dies right before or right after each of its writes, one after the other, in a day's work: it always
// ends as if nothing had happened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/status.h"
#include "tests/convergence/simulated_system.h"

namespace homeslice::testing_support {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

constexpr uint32_t kRenewedS = 3600;

// A client that asks again, with the same id, until it has an answer, as slicectl's users do.
template <typename Ask>
void insist(SimulatedSystem& system, Ask ask) {
    for (int tries = 0; tries < 5; ++tries) {
        system.startController();
        system.steps(2);  // the nodes connect anew
        if (system.controller() == nullptr) continue;
        const absl::Status status = ask(*system.controller()).status();
        if (status.ok()) return;
        ASSERT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    }
    FAIL() << "no answer";
}

void untilEnded(SimulatedSystem& system) {
    for (int i = 0; i < 30; ++i) {
        system.startController();
        system.steps(2);
    }
}

controller::CreateSliceRequest sliceOn(const std::string& name, std::vector<std::string> nodes) {
    controller::CreateSliceRequest request;
    request.name = name;
    request.base.image = "busybox";
    request.where.nodes = std::move(nodes);
    request.request_id = "create " + name;
    return request;
}

// The request, until it is answered; then what it began, until that has ended.
template <typename Ask>
void carryOut(SimulatedSystem& system, Ask ask) {
    ASSERT_NO_FATAL_FAILURE(insist(system, ask));
    untilEnded(system);
}

void changeAll(SimulatedSystem& system) {
    using controller::Controller;
    carryOut(system, [](Controller& controller) { return controller.setFrozen({"web", 0}, true, "freeze"); });
    carryOut(system, [](Controller& controller) { return controller.setFrozen({"web", 0}, false, "thaw"); });
    carryOut(system, [](Controller& controller) {
        controller::SliceChange change;
        change.shares = {{.index = 1, .weight = 5}};
        return controller.setSlice("web", change, "set");
    });
    carryOut(system, [](Controller& controller) { return controller.renewSlice("web", kRenewedS); });
}

// All that slices live through; web is left.
void aDaysWork(SimulatedSystem& system) {
    using controller::Controller;
    carryOut(system, [](Controller& controller) { return controller.createSlice(sliceOn("web", {"node1", "node2"})); });
    carryOut(system, [](Controller& controller) { return controller.moveSliver({"web", 1}, "node3", "move"); });
    changeAll(system);
    system.cutController("node2", false);
    for (int i = 0; i < 4; ++i) untilEnded(system);
    system.healLinks("node2");
    untilEnded(system);
    carryOut(system, [](Controller& controller) { return controller.drainNode("node3", "drain"); });
    carryOut(system, [](Controller& controller) { return controller.createSlice(sliceOn("brief", {"node1"})); });
    carryOut(system, [](Controller& controller) { return controller.deleteSlice("brief", "delete brief"); });
}

const std::vector<std::string> kAsked = {"create web", "move",  "freeze",       "thaw",
                                         "set",        "drain", "create brief", "delete brief"};

void expectTheSameAsEver(SimulatedSystem& system) {
    EXPECT_THAT(system.settle(), IsEmpty());
    EXPECT_THAT(system.history().violations(), IsEmpty());
    const controller::Snapshot snapshot = system.store().load().value();
    EXPECT_EQ(snapshot.slices.size(), 1U);
    ASSERT_EQ(snapshot.slivers.size(), 2U);
    for (const auto& [id, sliver] : snapshot.slivers) EXPECT_NE(sliver.node, "node3") << "it is drained";
    EXPECT_EQ(snapshot.slivers.begin()->second.weight, 5U);
    const controller::Slice& web = snapshot.slices.at("web");
    EXPECT_LT(web.lease_end_us - web.created_us, std::chrono::microseconds(std::chrono::hours(24)).count())
        << "it was renewed, for less than before";
    std::vector<std::string> asked;
    for (const auto& [id, operation] : snapshot.operations) {
        if (operation.request_id.empty()) continue;
        asked.push_back(operation.request_id);
        EXPECT_EQ(operation.state, controller::OperationState::done) << toString(operation.kind) << operation.step;
    }
    EXPECT_THAT(asked, UnorderedElementsAreArray(kAsked)) << "none lost, none doubled";
}

TEST(Crashes, AtEveryWriteOfADaysWork) {
    uint64_t writes = 0;
    {
        SimulatedSystem system(4, 1);
        const uint64_t before = system.store().writes();
        aDaysWork(system);
        expectTheSameAsEver(system);
        writes = system.store().writes() - before;
    }
    ASSERT_GE(writes, 30U);
    for (uint64_t write = 1; write <= writes; ++write) {
        for (const bool after : {false, true}) {
            SCOPED_TRACE(std::string(after ? "after" : "before") + " write " + std::to_string(write));
            SimulatedSystem system(4, 1);
            system.store().dieAt(write, after);
            aDaysWork(system);
            expectTheSameAsEver(system);
            if (testing::Test::HasFailure()) return;
        }
    }
}

}  // namespace
}  // namespace homeslice::testing_support
