#include "ctl/lab/state.h"

#include <gtest/gtest.h>

namespace homeslice::ctl::lab {
namespace {

LabState example() {
    return {.phase = Phase::up,
            .boot_id = "a-boot",
            .nodes = 3,
            .home_prefix = "fd51:1ce::/48",
            .network = {.ipv4 = true, .outbound = true, .behind_nat = 1},
            .times = {.replace_after = "20s", .certificate_lifetime = "40s", .grace = "5s", .keep_flows = "1h"},
            .made_netns_directory = true,
            .programs = {{"sliced", {17, 1234567890123}}, {"node1", {18, 1234567890124}}}};
}

TEST(LabStateTest, SurvivesAsJson) {
    for (const Phase phase : {Phase::starting, Phase::up, Phase::stopping}) {
        LabState state = example();
        state.phase = phase;
        const absl::StatusOr<LabState> read = parseLabState(toJson(state));
        ASSERT_TRUE(read.ok());
        EXPECT_EQ(*read, state);
    }
}

TEST(LabStateTest, RefusesWhatIsNoState) {
    for (const char* text : {"", "{", "[]", "{}", R"({"phase": 3})", "null"}) {
        EXPECT_EQ(parseLabState(text).status().code(), absl::StatusCode::kDataLoss) << text;
    }
    EXPECT_FALSE(parseLabState(toJson(example()).substr(0, 60)).ok());
}

TEST(LabStateTest, KeepsTheNewestProcessOfAProgram) {
    LabState state = example();
    state.setProcess("node1", {99, 5});
    EXPECT_EQ(state.programs.size(), 2u);
    EXPECT_EQ(state.processOf("node1"), (ProcessId{99, 5}));
    EXPECT_EQ(state.processOf("sliced"), (ProcessId{17, 1234567890123}));
    EXPECT_EQ(state.processOf("node2"), std::nullopt);
}

}  // namespace
}  // namespace homeslice::ctl::lab
