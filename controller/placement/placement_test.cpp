#include "controller/placement/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/status.h"

namespace homeslice::controller {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

Candidate ready(const std::string& name, uint32_t slivers, const Labels& labels = {}) {
    return {.name = name, .ready = true, .slivers = slivers, .cpu_millis = 2000, .labels = labels};
}

std::vector<Candidate> lab() {
    return {{.name = "ha", .ready = true, .home_agent = true},
            ready("node1", 4),
            ready("node2", 1),
            ready("node3", 1),
            {.name = "node4", .reason = "not connected"}};
}

std::vector<Candidate> racks() {
    return {ready("a1", 0, {{"rack", "a"}, {"ssd", "yes"}}), ready("a2", 0, {{"rack", "a"}}),
            ready("a3", 0, {{"rack", "a"}}), ready("b1", 0, {{"rack", "b"}, {"ssd", "yes"}}), ready("none", 0)};
}

std::vector<std::string> nodesOf(const PlacementRequest& request, const std::vector<Candidate>& nodes) {
    const auto plan = place(request, nodes);
    EXPECT_TRUE(plan.ok()) << plan.status();
    std::vector<std::string> names;
    if (plan.ok()) {
        for (const Place& place : plan->places) names.push_back(place.node);
    }
    return names;
}

std::map<std::string, int> sharesOf(const PlacementRequest& request, const std::vector<Candidate>& nodes) {
    std::map<std::string, int> shares;
    for (const std::string& node : nodesOf(request, nodes)) shares[node] += 1;
    return shares;
}

absl::Status refusalOf(const PlacementRequest& request, const std::vector<Candidate>& nodes) {
    return place(request, nodes).status();
}

absl::StatusCode codeOf(const PlacementRequest& request) { return refusalOf(request, lab()).code(); }

PlacementRules where(const std::vector<std::string>& terms) {
    PlacementRules rules;
    for (const std::string& term : terms) rules.where.push_back(*parseLabelTerm(term));
    return rules;
}

TEST(Placement, TakesTheEmptiestReadyNodes) {
    EXPECT_THAT(nodesOf({.node_count = 2}, lab()), ElementsAre("node2", "node3"));
    EXPECT_THAT(nodesOf({.node_count = 3}, lab()), ElementsAre("node2", "node3", "node1"));
    EXPECT_THAT(nodesOf({.all_nodes = true}, lab()), UnorderedElementsAre("node1", "node2", "node3"));
}

TEST(Placement, CorrespondentsTakeNone) {
    const Candidate correspondent{.name = "cn", .ready = true, .correspondent = true, .cpu_millis = 2000};
    EXPECT_EQ(misfitOf(correspondent, {}, 0), "a correspondent");
}

TEST(Placement, WhatIsReservedCountsBeforeTheNumberOfSlivers) {
    std::vector<Candidate> nodes = lab();
    nodes[2].reserved_millis = 500;
    nodes[3].reserved_millis = 1000;
    EXPECT_THAT(nodesOf({.node_count = 3}, nodes), ElementsAre("node1", "node2", "node3"));
}

TEST(Placement, SpreadsEvenlyAndGivesTheRestToTheEmptiest) {
    const PlacementRequest request{.nodes = {"node1", "node2"}, .sliver_count = 5};
    EXPECT_THAT(sharesOf(request, lab()), ElementsAre(Pair("node1", 2), Pair("node2", 3)));
    EXPECT_EQ(nodesOf(request, lab()).front(), "node1") << "the first sliver is on the first node that was named";
}

TEST(Placement, SliversAloneTakeAsManyNodesAsTheyNeed) {
    EXPECT_THAT(nodesOf({.sliver_count = 2}, lab()), UnorderedElementsAre("node2", "node3"));
    EXPECT_THAT(sharesOf({.sliver_count = 7}, lab()),
                ElementsAre(Pair("node1", 2), Pair("node2", 3), Pair("node3", 2)));
}

TEST(Placement, PacksOntoTheFullest) {
    PlacementRules pack;
    pack.pack = true;
    EXPECT_THAT(nodesOf({.sliver_count = 3, .rules = pack}, lab()), ElementsAre("node1", "node1", "node1"));
    EXPECT_THAT(sharesOf({.sliver_count = 5, .rules = pack, .cpu_reservation_millis = 500}, lab()),
                ElementsAre(Pair("node1", 4), Pair("node2", 1)));
}

TEST(Placement, LabelsSayWhichNodesFit) {
    EXPECT_THAT(nodesOf({.all_nodes = true, .rules = where({"ssd"})}, racks()), UnorderedElementsAre("a1", "b1"));
    EXPECT_THAT(nodesOf({.all_nodes = true, .rules = where({"rack=a", "ssd"})}, racks()), ElementsAre("a1"));
    EXPECT_THAT(nodesOf({.all_nodes = true, .rules = where({"rack!=a"})}, racks()), UnorderedElementsAre("b1", "none"));
}

TEST(Placement, ALabelsValuesGetEqualShares) {
    PlacementRules rules;
    rules.spread_over = "rack";
    EXPECT_THAT(sharesOf({.sliver_count = 6, .rules = rules}, racks()),
                ElementsAre(Pair("a1", 1), Pair("a2", 1), Pair("a3", 1), Pair("b1", 3)));
    EXPECT_THAT(nodesOf({.node_count = 2, .rules = rules}, racks()), UnorderedElementsAre("a1", "b1"));
    EXPECT_THAT(sharesOf({.sliver_count = 6, .rules = rules, .cpu_reservation_millis = 1000}, racks()),
                ElementsAre(Pair("a1", 2), Pair("a2", 1), Pair("a3", 1), Pair("b1", 2)))
        << "b1 is full with two";
}

TEST(Placement, KeepsApart) {
    std::vector<Candidate> nodes = lab();
    nodes[2].slices = {"db"};
    PlacementRules rules;
    rules.apart_from = {"db"};
    EXPECT_THAT(nodesOf({.all_nodes = true, .rules = rules}, nodes), UnorderedElementsAre("node1", "node3"));
}

TEST(Placement, GuaranteesAreNeverOversold) {
    EXPECT_THAT(sharesOf({.sliver_count = 12, .cpu_reservation_millis = 500}, lab()),
                ElementsAre(Pair("node1", 4), Pair("node2", 4), Pair("node3", 4)));
    const absl::Status refused = refusalOf({.sliver_count = 13, .cpu_reservation_millis = 500}, lab());
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(messageOf(refused), HasSubstr("room for 12 of 13 slivers"));
}

TEST(Placement, SaysWhatExcludesHowManyNodes) {
    std::vector<Candidate> nodes = racks();
    nodes[3].cordoned = true;
    const absl::Status refused = refusalOf({.node_count = 4, .rules = where({"rack"})}, nodes);
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(messageOf(refused), AllOf(HasSubstr("4 nodes are asked for and 3 fit"), HasSubstr("cordoned 1 (b1)"),
                                          HasSubstr("not rack 1 (none)")));
    const auto plan = place({.node_count = 3, .rules = where({"rack"})}, nodes);
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(plan->exclusions.size(), 2U);
}

TEST(Placement, RefusesMalformedRequests) {
    EXPECT_EQ(codeOf({}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 1, .nodes = {"node1"}}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 1, .all_nodes = true}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.nodes = {"node1", "node1"}}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 3, .sliver_count = 2}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.all_nodes = true, .sliver_count = 2}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 1, .sliver_count = 65536}), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codeOf({.node_count = 4000000000}), absl::StatusCode::kInvalidArgument);
}

TEST(Placement, RefusesNamedNodesThatDoNotFit) {
    EXPECT_EQ(codeOf({.nodes = {"node9"}}), absl::StatusCode::kNotFound);
    EXPECT_EQ(codeOf({.nodes = {"ha"}}), absl::StatusCode::kFailedPrecondition);
    const absl::Status away = refusalOf({.nodes = {"node4"}}, lab());
    EXPECT_EQ(away.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(messageOf(away), HasSubstr("node 'node4' does not fit: not ready (not connected)"));
}

TEST(PlacementRules, LabelTerms) {
    for (const char* text : {"rack", "rack=r1", "rack!=r1", "a.b-c_d=1.2"}) {
        const auto term = parseLabelTerm(text);
        ASSERT_TRUE(term.ok()) << text;
        EXPECT_EQ(term->toString(), text);
    }
    for (const char* bad : {"", "=", "=r1", "!=r1", "rack=", "rack!=", "rack==r1", "ra ck", "rack=\xff", "-rack"}) {
        EXPECT_EQ(parseLabelTerm(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
    }
}

}  // namespace
}  // namespace homeslice::controller
