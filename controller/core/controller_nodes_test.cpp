// What administrators say of nodes, through the whole core: labels, cordons, drains, and what is reserved of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/nat.h"
#include "base/reason.h"
#include "base/status.h"
#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using testing_support::TestWorld;

class NodesTest : public ::testing::Test {
protected:
    void SetUp() override { world_.addLab(3); }

    absl::StatusOr<Operation> create(const PlacementRequest& where, uint32_t cpu_reservation_millis = 0) {
        CreateSliceRequest request;
        request.name = "web";
        request.base.image = "busybox";
        request.base.resources.cpu_reservation_millis = cpu_reservation_millis;
        request.where = where;
        auto created = world_.controller().createSlice(request);
        world_.settle();
        return created;
    }
    absl::Status cordon(const std::string& node, bool cordoned) {
        SetNodeRequest request;
        request.name = node;
        request.cordoned = cordoned;
        return world_.controller().setNode(request).status();
    }
    absl::Status label(const std::string& node, const Labels& labels) {
        SetNodeRequest request;
        request.name = node;
        request.labels = labels;
        return world_.controller().setNode(request).status();
    }
    Operation drain(const std::string& node) {
        const auto operation = world_.controller().drainNode(node, "");
        EXPECT_TRUE(operation.ok()) << operation.status();
        return operation.value_or(Operation());
    }
    std::vector<std::string> nodesOfSlivers() {
        std::vector<std::string> nodes;
        const auto views = world_.controller().slivers("web");
        for (const SliverView& view : *views) nodes.push_back(view.node);
        return nodes;
    }

    TestWorld world_;
};

TEST_F(NodesTest, BehindANatANodeHasAnAddressOfItsOwn) {
    const Ipv6Address inside = Ipv6Address::parse("::ffff:192.168.1.2").value();
    for (const char* name : {"node1", "node2", "node3"}) world_.controller().disconnectNode(world_.node(name).handle);
    const auto connect = [&](const std::string& name, const std::string& number_of, bool home_agent = false) {
        Node node = world_.node(name).hello;
        node.care_of_address = behindNat(inside, number_of);
        node.home_agent = home_agent;
        return world_.controller().connectNode(node, world_.node(name).session).status().code();
    };
    EXPECT_EQ(connect("node1", "node2"), absl::StatusCode::kInvalidArgument) << "another's";
    EXPECT_EQ(connect("node1", "node1", true), absl::StatusCode::kInvalidArgument) << "nobody could send to it";
    EXPECT_EQ(connect("node1", "node1"), absl::StatusCode::kOk);
    EXPECT_EQ(connect("node2", "node2"), absl::StatusCode::kOk) << "the same address, behind another NAT perhaps";
}

TEST_F(NodesTest, CareOfAddressesOfAllAreOfOneVersion) {
    Node ipv4 = world_.node("node3").hello;
    ipv4.care_of_address = Ipv6Address::parse("::ffff:192.0.2.3").value();
    world_.controller().disconnectNode(world_.node("node3").handle);
    const auto refused = world_.controller().connectNode(ipv4, world_.node("node3").session);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(messageOf(refused.status()), HasSubstr("--care-of"));
    // When all others are away the first decides.
    for (const std::string name : {"node1", "node2"}) world_.controller().disconnectNode(world_.node(name).handle);
    EXPECT_EQ(world_.controller().connectNode(ipv4, world_.node("node3").session).status(), absl::OkStatus());
}

TEST_F(NodesTest, LabelsAndCordonsOutliveReconnectsAndRestarts) {
    ASSERT_EQ(label("node1", {{"rack", "r1"}}), absl::OkStatus());
    ASSERT_EQ(cordon("node1", true), absl::OkStatus());
    world_.restart();
    const Node node = world_.controller().node("node1")->node;
    EXPECT_EQ(node.labels, (Labels{{"rack", "r1"}}));
    EXPECT_TRUE(node.cordoned);
    EXPECT_EQ(label("node1", {{"no word", "x"}}).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(label("node1", {}).code(), absl::StatusCode::kInvalidArgument) << "nothing is to change";
    EXPECT_EQ(label("node9", {{"rack", "r1"}}).code(), absl::StatusCode::kNotFound);
    SetNodeRequest removal{.name = "node1", .labels = {}, .remove_labels = {"rack"}, .cordoned = {}};
    EXPECT_TRUE(world_.controller().setNode(removal).ok());
    EXPECT_EQ(world_.controller().setNode(removal).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(NodesTest, ACordonedNodeKeepsItsSliversAndGetsNoMore) {
    ASSERT_TRUE(create({.nodes = {"node1", "node2"}}).ok());
    ASSERT_EQ(cordon("node1", true), absl::OkStatus());
    ASSERT_EQ(cordon("node3", true), absl::OkStatus());
    EXPECT_EQ(world_.controller().sliver({"web", 1})->node, "node1");
    const auto move = world_.controller().moveSliver({"web", 1}, "node3", "");
    EXPECT_THAT(messageOf(move.status()), HasSubstr("cordoned"));
    EXPECT_TRUE(world_.controller().moveSliver({"web", 1}, "node2", "").ok()) << "it may leave";
}

TEST_F(NodesTest, APlanChangesNothing) {
    CreateSliceRequest request;
    request.name = "web";
    request.base.image = "busybox";
    request.where.node_count = 2;
    const auto plan = world_.controller().planSlice(request);
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->places.size(), 2U);
    EXPECT_FALSE(world_.controller().slice("web").ok());
    request.where.node_count = 4;
    EXPECT_EQ(world_.controller().planSlice(request).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(NodesTest, ADrainMovesEverySliverAway) {
    ASSERT_TRUE(create({.nodes = {"node1"}, .sliver_count = 9}).ok());
    const Operation begun = drain("node1");
    EXPECT_EQ(begun.total, 9U);
    EXPECT_EQ(drain("node1").id, begun.id) << "one drain a node";
    world_.restart();
    world_.settle();
    const Operation ended = world_.operation(begun.id);
    EXPECT_EQ(ended.state, OperationState::done) << ended.step;
    EXPECT_EQ(ended.done, 9U);
    EXPECT_THAT(nodesOfSlivers(), Each(testing::AnyOf("node2", "node3")));
    EXPECT_TRUE(world_.controller().node("node1")->node.cordoned);
}

TEST_F(NodesTest, ADrainKeepsToTheRulesAndLeavesWhatCannotGo) {
    ASSERT_EQ(label("node1", {{"rack", "r1"}}), absl::OkStatus());
    ASSERT_EQ(label("node2", {{"rack", "r1"}}), absl::OkStatus());
    PlacementRules rules;
    rules.where = {*parseLabelTerm("rack=r1")};
    ASSERT_TRUE(create({.nodes = {"node1", "node2"}, .sliver_count = 3, .rules = rules}, 1000).ok());
    const Operation begun = drain("node1");
    world_.settle();
    const Operation ended = world_.operation(begun.id);
    EXPECT_EQ(ended.state, OperationState::partial) << "node2 has two processors, node3 is in no rack";
    ASSERT_EQ(ended.failures.size(), 1U);
    EXPECT_THAT(ended.failures[0].reason, HasSubstr("less than 1000m CPU left 1 (node2)"));
    EXPECT_THAT(nodesOfSlivers(), testing::UnorderedElementsAre("node1", "node2", "node2"));
}

TEST_F(NodesTest, AnUncordonEndsADrain) {
    ASSERT_TRUE(create({.nodes = {"node1"}, .sliver_count = 9}).ok());
    const Operation begun = drain("node1");
    ASSERT_EQ(cordon("node1", false), absl::OkStatus());
    EXPECT_EQ(world_.operation(begun.id).state, OperationState::failed);
    world_.settle();
    EXPECT_THAT(nodesOfSlivers(), testing::Contains("node1")) << "what had not begun to move stays";
}

TEST_F(NodesTest, ANodeThatFailsASliverOfADrainIsNotTriedAgain) {
    ASSERT_TRUE(create({.nodes = {"node1"}}).ok());
    ASSERT_EQ(cordon("node3", true), absl::OkStatus());
    const Operation begun = drain("node1");
    world_.obey("node1");
    world_.node("node2").obey();
    SliverReport& report = world_.node("node2").slivers[{"web", 1}];
    report.state = SliverState::failed;
    report.image_ready = false;
    report.reason = "the disk is full";
    world_.report("node2");
    world_.settle();
    const Operation ended = world_.operation(begun.id);
    EXPECT_EQ(ended.state, OperationState::failed);
    ASSERT_EQ(ended.failures.size(), 1U);
    EXPECT_THAT(ended.failures[0].reason, HasSubstr("the disk is full"));
    EXPECT_EQ(world_.controller().sliver({"web", 1})->node, "node1");
}

// Right after a restart there seems to be no node that anything could go to.
TEST_F(NodesTest, ADrainWaitsForNodesToComeBackAfterARestart) {
    ASSERT_TRUE(world_.create("web", {"node1"}).ok());
    world_.settle();
    world_.start();
    world_.connect("node1");
    world_.obey("node1");
    const Operation drain = *world_.controller().drainNode("node1", "");
    world_.controller().tick();
    EXPECT_EQ(world_.operation(drain.id).state, OperationState::running);
    EXPECT_TRUE(world_.operation(drain.id).failures.empty());
    for (const std::string node : {"node2", "node3"}) world_.connect(node);
    world_.controller().tick();
    world_.settle();
    EXPECT_EQ(world_.operation(drain.id).state, OperationState::done) << world_.operation(drain.id).step;
    EXPECT_NE(world_.controller().sliver({"web", 1})->node, "node1");
}

TEST_F(NodesTest, GuaranteesCannotGrowBeyondANode) {
    ASSERT_TRUE(create({.nodes = {"node1"}, .sliver_count = 2}, 500).ok());
    EXPECT_EQ(world_.controller().node("node1")->cpu_reserved_millis, 1000U);
    const auto reserve = [&](uint32_t millis) {
        const auto change = [millis](Resources resources) -> absl::StatusOr<Resources> {
            resources.cpu_reservation_millis = millis;
            return resources;
        };
        return world_.controller().setSlice("web", {.resources = change}, "").status();
    };
    EXPECT_EQ(reserve(1000), absl::OkStatus());
    EXPECT_EQ(reserve(1001).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(reserve(100), absl::OkStatus());
}

TEST(Nodes, ACreationAndAMoveWaitForNodesToComeBackAfterARestart) {
    TestWorld world;
    world.addLab(2);
    world.start();
    const auto early = world.create("web", {"node1"});
    EXPECT_EQ(early.status().code(), absl::StatusCode::kUnavailable) << early.status();
    EXPECT_EQ(reasonOf(early.status()).word, reason::kNodeAway);
    EXPECT_TRUE(reasonOf(early.status()).facts.contains(kRetryAfterFact)) << "slicectl asks again";
    world.connect("node1");
    EXPECT_TRUE(world.create("web", {"node1"}).ok());
    world.settle();
    const auto move = [&] { return world.controller().moveSliver({"web", 1}, "node2", "").status(); };
    EXPECT_EQ(move().code(), absl::StatusCode::kUnavailable) << move();
    // Whoever is not back after the timeout is away.
    world.pass(std::chrono::seconds(6));
    world.report("node1");
    EXPECT_EQ(world.create("db", {"node2"}).status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(move().code(), absl::StatusCode::kFailedPrecondition) << move();
}

}  // namespace
}  // namespace homeslice::controller
