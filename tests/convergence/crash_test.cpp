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

// Creates, moves, loses a node, drains, deletes.
void aDaysWork(SimulatedSystem& system) {
    insist(system, [](controller::Controller& controller) {
        controller::CreateSliceRequest request;
        request.name = "web";
        request.base.image = "busybox";
        request.where.nodes = {"node1", "node2"};
        request.request_id = "create";
        return controller.createSlice(request);
    });
    untilEnded(system);
    insist(system, [](controller::Controller& controller) {
        return controller.moveSliver({"web", 1}, "node3", "move");
    });
    untilEnded(system);
    system.cutController("node2", false);
    for (int i = 0; i < 4; ++i) untilEnded(system);
    system.healLinks("node2");
    untilEnded(system);
    insist(system, [](controller::Controller& controller) { return controller.drainNode("node3", "drain"); });
    untilEnded(system);
}

void expectTheSameAsEver(SimulatedSystem& system) {
    EXPECT_THAT(system.settle(), IsEmpty());
    EXPECT_THAT(system.history().violations(), IsEmpty());
    const controller::Snapshot snapshot = system.store().load().value();
    ASSERT_EQ(snapshot.slivers.size(), 2U);
    for (const auto& [id, sliver] : snapshot.slivers) EXPECT_NE(sliver.node, "node3") << "it is drained";
    size_t asked = 0;
    for (const auto& [id, operation] : snapshot.operations) {
        if (operation.request_id.empty()) continue;
        asked += 1;
        EXPECT_EQ(operation.state, controller::OperationState::done) << toString(operation.kind) << operation.step;
    }
    EXPECT_EQ(asked, 3U) << "none lost, none doubled";
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
    ASSERT_GT(writes, 15U);
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
