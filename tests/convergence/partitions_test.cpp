// Random partitions, deaths and requests, again and again: afterwards everything is where it should be, and at no time
// had a home address two owners. HOMESLICE_SEED repeats a run, HOMESLICE_ROUNDS makes it longer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "tests/convergence/simulated_system.h"

namespace homeslice::testing_support {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

uint32_t fromEnvironment(const char* name, uint32_t fallback) {
    const char* text = std::getenv(name);
    return text == nullptr ? fallback : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
}

// What people and machines do to a system, at random.
class Chaos {
public:
    Chaos(SimulatedSystem& system, uint32_t seed) : system_(system), random_(seed) {}

    void act() {
        switch (below(12)) {
            case 0:
                return system_.cutController(node(), below(2) == 0);
            case 1:
                return system_.cutHomeAgent(node(), below(2) == 0 ? "ha1" : "ha2");
            case 2:
                return isolate(node());
            case 3:
            case 4:
                return system_.healLinks(node());
            case 5:
                return below(2) == 0 ? system_.restartNoded(node()) : system_.rebootNode(node());
            case 6:
                return system_.killController();
            case 7:
                return system_.store().dieAt(1 + below(6), below(2) == 0);
            default:
                if (system_.controller() != nullptr) ask(*system_.controller());
        }
    }
    uint32_t below(uint32_t bound) { return std::uniform_int_distribution<uint32_t>(0, bound - 1)(random_); }

private:
    std::string node() {
        const std::vector<std::string> names = system_.nodeNames();
        return names[below(static_cast<uint32_t>(names.size()))];
    }
    std::string slice() { return "slice" + std::to_string(below(4)); }
    SliverId sliver() { return {slice(), 1 + below(3)}; }

    void isolate(const std::string& node) {
        system_.cutController(node, false);
        system_.cutHomeAgent(node, "ha1");
        system_.cutHomeAgent(node, "ha2");
    }

    // Most of it is refused, for the thing is not there, moves, or its node is away: that is as good a request as any.
    void ask(controller::Controller& controller) {
        switch (below(10)) {
            case 0:
            case 1:
                return create(controller);
            case 2:
                static_cast<void>(controller.deleteSlice(slice(), ""));
                return;
            case 3:
            case 4:
            case 5:
                static_cast<void>(controller.moveSliver(sliver(), node(), ""));
                return;
            case 6:
                static_cast<void>(controller.setFrozen({slice(), 0}, below(2) == 0, ""));
                return;
            case 7:
                return drain(controller);
            case 8:
                return cancelOne(controller);
            default:
                static_cast<void>(controller.rebalanceNodes(""));
        }
    }
    void create(controller::Controller& controller) {
        controller::CreateSliceRequest request;
        request.name = slice();
        request.base.image = "busybox";
        request.base.resources.cpu_reservation_millis = 100 * below(4);
        request.where.sliver_count = 3;
        static_cast<void>(controller.createSlice(request));
    }
    void drain(controller::Controller& controller) {
        const std::string name = node();
        if (below(2) == 0) {
            static_cast<void>(controller.drainNode(name, ""));
            return;
        }
        controller::SetNodeRequest uncordon;
        uncordon.name = name;
        uncordon.cordoned = false;
        static_cast<void>(controller.setNode(uncordon));
    }
    void cancelOne(controller::Controller& controller) {
        const std::vector<controller::Operation> all = controller.operations();
        if (!all.empty())
            static_cast<void>(controller.cancelOperation(all[below(static_cast<uint32_t>(all.size()))].id));
    }

    SimulatedSystem& system_;
    std::mt19937 random_;
};

void uncordonAll(SimulatedSystem& system) {
    system.startController();
    for (const std::string& name : system.nodeNames()) {
        controller::SetNodeRequest uncordon;
        uncordon.name = name;
        uncordon.cordoned = false;
        EXPECT_TRUE(system.controller()->setNode(uncordon).ok());
    }
}

// Ends with everything healed; the history goes on from round to round.
void round(SimulatedSystem& system, Chaos& chaos) {
    for (int acts = 0; acts < 40; ++acts) {
        chaos.act();
        system.steps(static_cast<int>(chaos.below(15)));
        if (system.controller() == nullptr && chaos.below(2) == 0) system.startController();
    }
    system.store().dieAt(0, false);
}

TEST(Partitions, NeverTwoOwnersAndEverythingInItsPlaceAfterwards) {
    const uint32_t seed = fromEnvironment("HOMESLICE_SEED", std::random_device()());
    SCOPED_TRACE("HOMESLICE_SEED=" + std::to_string(seed));
    RecordProperty("seed", std::to_string(seed));
    SimulatedSystem system(5, 2);
    Chaos chaos(system, seed);
    const uint32_t rounds = fromEnvironment("HOMESLICE_ROUNDS", 30);
    for (uint32_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
        round(system, chaos);
        uncordonAll(system);
        EXPECT_THAT(system.settle(), IsEmpty()) << "round " << i;
        EXPECT_THAT(system.history().violations(), IsEmpty()) << "round " << i;
    }
    EXPECT_GT(system.history().handovers(), rounds) << "there was nothing to check";
}

TEST(Partitions, TheCheckerSeesHomeAgentsThatDoNotFence) {
    SimulatedSystem system(3, 1, false);
    controller::CreateSliceRequest request;
    request.name = "web";
    request.base.image = "busybox";
    request.where.nodes = {"node1"};
    ASSERT_TRUE(system.controller()->createSlice(request).ok());
    system.steps(5);
    system.cutController("node1", false);
    system.steps(200);
    EXPECT_NE(system.controller()->sliver({"web", 1})->node, "node1");
    EXPECT_THAT(system.history().violations(), Not(IsEmpty())) << "node1 goes on registering";
}

}  // namespace
}  // namespace homeslice::testing_support
