// What nodes are told, and how seldom.
#include <gtest/gtest.h>

#include <algorithm>

#include "controller/core/test_world.h"

namespace homeslice::controller {
namespace {

using testing_support::TestWorld;

TEST(Telling, ANodeHearsOfWhatConcernsItAlone) {
    TestWorld world;
    world.addLab(2);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    const int sent = world.node("node2").session->sent;
    ASSERT_TRUE(world.create("db", {"node1"}).ok());
    EXPECT_EQ(world.node("node2").session->sent, sent);
    EXPECT_EQ(world.node("node1").session->last_picture.slivers.size(), 2U);
}

// Sends the whole once, and changes of what it said from then on.
class CountingSession : public NodeSession {
public:
    void send(uint64_t /*revision*/, const Picture& picture, const NameTable* /*names*/) override {
        wholes += picture.since == 0 ? 1 : 0;
        slivers += picture.slivers.size();
        gone += picture.gone.size();
        for (const auto& list : picture.node_lists) nodes += list->nodes.size();
    }
    void sendNames(const NameTable& /*names*/) override {}
    void close(const absl::Status& /*why*/) override {}

    int wholes = 0;
    size_t slivers = 0;
    size_t gone = 0;
    size_t nodes = 0;
};

TEST(Telling, AChangeIsToldWithoutWhatStays) {
    TestWorld world;
    world.addLab(1);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    ASSERT_TRUE(world.create("db", {"node1"}).ok());
    const auto session = std::make_shared<CountingSession>();
    ASSERT_TRUE(world.controller().connectNode(world.node("node1").hello, session).ok());
    EXPECT_EQ(session->wholes, 1);
    EXPECT_EQ(session->slivers, 2U);
    ASSERT_TRUE(world.create("mail", {"node1"}).ok());
    EXPECT_EQ(session->slivers, 3U);
    ASSERT_TRUE(world.controller().deleteSlice("web", "").ok());
    EXPECT_EQ(session->gone, 1U);
    const size_t nodes = session->nodes;
    world.addNode("node2");
    EXPECT_GE(session->nodes, nodes + 1);
    EXPECT_LE(session->nodes, nodes + 2) << "by its enrolment and by its hello";
    EXPECT_EQ(session->wholes, 1);
    EXPECT_EQ(session->slivers, 3U);
}

// Of slivers that are as they were an empty status says enough; what is gone is said.
TEST(Telling, ANodeSaysWhatIsNew) {
    TestWorld world;
    world.addLab(1);
    const Operation created = world.create("web", {"node1"}).value();
    world.settle();
    ASSERT_TRUE(world.create("db", {"node1"}).ok());
    auto& node = world.node("node1");
    node.obey();
    NodeReport report;
    report.changes_only = true;
    report.desired_revision = node.session->last_revision;
    report.slivers = {node.slivers.at({"db", 1})};
    world.controller().reportFromNode(node.handle, report);
    EXPECT_EQ(world.controller().sliver({"web", 1})->state, SliverState::running);
    EXPECT_EQ(world.controller().sliver({"db", 1})->state, SliverState::running);
    EXPECT_EQ(world.operation(created.id).state, OperationState::done);

    const Operation deleted = world.controller().deleteSlice("web", "").value();
    report.slivers.clear();
    report.desired_revision = node.session->last_revision;
    world.controller().reportFromNode(node.handle, report);
    EXPECT_FALSE(world.operation(deleted.id).ended()) << "it has not said that it is gone";
    report.gone = {{"web", 1}};
    world.controller().reportFromNode(node.handle, report);
    EXPECT_EQ(world.operation(deleted.id).state, OperationState::done);
}

TEST(Telling, HeartbeatsAreAFifthOfTheTimeout) {
    TestWorld world;
    world.config.node_timeout = std::chrono::seconds(50);
    world.start();
    world.addNode("node1");
    class Session : public CountingSession {
    public:
        void send(uint64_t /*revision*/, const Picture& picture, const NameTable* /*names*/) override {
            heartbeat = picture.heartbeat;
        }
        std::chrono::milliseconds heartbeat{};
    };
    const auto session = std::make_shared<Session>();
    ASSERT_TRUE(world.controller().connectNode(world.node("node1").hello, session).ok());
    EXPECT_EQ(session->heartbeat, std::chrono::seconds(10));
}

// In a large system what all should know goes round with the ticks.
TEST(Telling, ManyNodesHearOfOthersAndOfNamesInTheEnd) {
    constexpr int kMany = 300;
    TestWorld world;
    world.addLab(kMany);
    ASSERT_TRUE(world.create("web", {"node1"}).ok());
    for (int i = 0; i < 3; ++i) world.controller().tick();
    for (int i = 1; i <= kMany; ++i) {
        const auto& session = *world.node("node" + std::to_string(i)).session;
        ASSERT_EQ(session.last_picture.nodes.size(), static_cast<size_t>(kMany)) << i;
        for (const auto& [name, node] : session.last_picture.nodes) {
            ASSERT_FALSE(node.care_of_address.isUnspecified()) << name;
        }
        ASSERT_EQ(session.last_names.slices.size(), 1U) << i;
    }
    ASSERT_TRUE(world.controller().deleteSlice("web", "").ok());
    for (int i = 0; i < 3; ++i) world.controller().tick();
    EXPECT_TRUE(world.node("node300").session->last_names.slices.empty());
}

TEST(Telling, ANodeThatComesBackUnchangedCostsNoWrite) {
    TestWorld world;
    world.addLab(1);
    const uint64_t revision = world.store().load()->revision;
    world.connect("node1");
    EXPECT_EQ(world.store().load()->revision, revision);
    world.controller().disconnectNode(world.node("node1").handle);
    world.node("node1").hello.boot_id = "another";
    world.connect("node1");
    EXPECT_EQ(world.store().load()->revision, revision + 1);
}

class ManyNodes : public testing::Test {
protected:
    static constexpr int kMany = 600;

    void SetUp() override {
        world_.addLab(kMany);
        world_.settle();
        world_.controller().onUntold([this] { ++woken_; });
        for (int i = 1; i <= kMany; ++i) nodes_.push_back("node" + std::to_string(i));
        ASSERT_TRUE(world_.create("web", nodes_).ok());
    }

    bool isTold(const std::string& node) { return world_.node(node).session->last_picture.slivers.size() == 1; }
    int64_t told() {
        return std::count_if(nodes_.begin(), nodes_.end(), [&](const std::string& node) { return isTold(node); });
    }
    // Until that tells nobody more.
    void tellOn() {
        for (int64_t before = -1; before != told();) {
            before = told();
            world_.controller().tellMore();
        }
    }

    TestWorld world_;
    std::vector<std::string> nodes_;
    int woken_ = 0;
};

// Whoever asks for something that thousands must hear of does not wait for that.
TEST_F(ManyNodes, AreToldByTheTeller) {
    EXPECT_GT(woken_, 0);
    EXPECT_EQ(told(), 0);
    EXPECT_TRUE(world_.controller().tellMore());
    EXPECT_GT(told(), 0);
    EXPECT_LT(told(), kMany);
}

// Nor do users wait in line behind the answers of thousands; what is asked of the others meanwhile goes out in one.
TEST_F(ManyNodes, AreToldAsAnswersComeIn) {
    tellOn();
    const int64_t first = told();
    EXPECT_LT(first, kMany);
    ASSERT_TRUE(world_.create("db", nodes_).ok());
    tellOn();
    EXPECT_EQ(told(), first);
    for (const std::string& node : nodes_) {
        if (isTold(node)) world_.obey(node);
    }
    tellOn();
    const auto with_both = std::count_if(nodes_.begin(), nodes_.end(), [&](const std::string& node) {
        return world_.node(node).session->last_picture.slivers.size() == 2;
    });
    EXPECT_GT(with_both, 0);
}

TEST_F(ManyNodes, DoNotWaitForThoseWhoDoNotAnswer) {
    tellOn();
    ASSERT_LT(told(), kMany);
    while (told() < kMany) {
        const int64_t before = told();
        world_.pass(std::chrono::seconds(5));
        tellOn();
        ASSERT_GT(told(), before);
    }
    EXPECT_FALSE(world_.controller().tellMore());
}

}  // namespace
}  // namespace homeslice::controller
