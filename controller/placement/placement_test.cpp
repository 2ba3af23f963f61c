#include "controller/placement/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace homeslice::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Candidate> lab() {
    return {{"ha", true, "", true, 0},
            {"node1", true, "", false, 4},
            {"node2", true, "", false, 1},
            {"node3", true, "", false, 1},
            {"node4", false, "not connected", false, 0}};
}

absl::StatusCode codeOf(const PlacementRequest& request) { return place(request, lab()).status().code(); }

TEST(Placement, TakesTheLeastLoadedReadyNodes) {
    EXPECT_THAT(*place({.node_count = 2, .nodes = {}, .sliver_count = 0}, lab()), ElementsAre("node2", "node3"));
    EXPECT_THAT(*place({.node_count = 3, .nodes = {}, .sliver_count = 0}, lab()),
                ElementsAre("node2", "node3", "node1"));
}

TEST(Placement, SpreadsEvenlyAndGivesTheRestToTheLeastLoaded) {
    EXPECT_THAT(*place({.node_count = 0, .nodes = {"node1", "node2"}, .sliver_count = 5}, lab()),
                ElementsAre("node1", "node2", "node1", "node2", "node2"));
}

TEST(Placement, SaysHowManyNodesAreMissing) {
    const auto placed = place({.node_count = 4, .nodes = {}, .sliver_count = 0}, lab());
    EXPECT_EQ(placed.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(messageOf(placed.status()), HasSubstr("4 nodes are asked for and 3 ready"));
}

TEST(Placement, RefusesMalformedRequests) {
    EXPECT_EQ(codeOf({.node_count = 0, .nodes = {}, .sliver_count = 3}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 1, .nodes = {"node1"}, .sliver_count = 0}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 0, .nodes = {"node1", "node1"}, .sliver_count = 0}),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 3, .nodes = {}, .sliver_count = 2}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 1, .nodes = {}, .sliver_count = 65536}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 4000000000, .nodes = {}, .sliver_count = 0}), absl::StatusCode::kInvalidArgument);
}

TEST(Placement, RefusesNodesThatCannotTakeSlivers) {
    EXPECT_EQ(codeOf({.node_count = 0, .nodes = {"node9"}, .sliver_count = 0}), absl::StatusCode::kNotFound);
    EXPECT_EQ(codeOf({.node_count = 0, .nodes = {"node4"}, .sliver_count = 0}), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(codeOf({.node_count = 0, .nodes = {"ha"}, .sliver_count = 0}), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace homeslice::controller
