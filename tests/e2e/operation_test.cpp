// Operations in a real lab: what hangs is ended from beside, history stays, nodes are evened out.
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using ::testing::HasSubstr;

class OperationTest : public LabTest {
protected:
    void TearDown() override {
        signalNode("node2", SIGCONT);
        LabTest::TearDown();
    }

    static void signalNode(const std::string& node, int signal) {
        for (const auto& program : labPrograms()) {
            if (program.value("name", "") != node) continue;
            EXPECT_EQ(::kill(program.value("pid", 0), signal), 0);
        }
    }
    static nlohmann::json newest(const std::string& subject) {
        const auto operations = slicectlJson({"operation", "ls", subject});
        return operations.empty() ? nlohmann::json::object() : operations.back();
    }
    std::vector<std::string> nodesOf(const std::string& slice) {
        std::vector<std::string> nodes;
        for (const auto& each : slicectlJson({"sliver", "ls", slice})) nodes.push_back(each.value("node", ""));
        std::sort(nodes.begin(), nodes.end());
        return nodes;
    }
};

TEST_F(OperationTest, AMoveToANodeThatHangsIsCancelledAndTheSliverGoesOn) {
    createWebSlice("web", {"--on", "node1"});
    signalNode("node2", SIGSTOP);
    const CommandResult asked = slicectl({"sliver", "move", "web/1", "--to", "node2", "--no-wait", "-o", "json"});
    HS_EXPECT_DONE(asked);
    const std::string id = newest("web/1").value("id", "");
    EXPECT_EQ(newest("web/1").value("state", ""), "running");
    HS_EXPECT_DONE(slicectl({"operation", "cancel", id}));
    EXPECT_EQ(slicectlJson({"operation", "show", id}).value("state", ""), "cancelled");
    EXPECT_EQ(sliver("web/1").value("node", ""), "node1");
    EXPECT_NE(fetch(homeAddress("web/1")), "");
    EXPECT_EQ(slicectl({"operation", "cancel", id}).status, 0) << "again is fine";
    signalNode("node2", SIGCONT);
    HS_EXPECT_DONE(slicectl({"sliver", "move", "web/1", "--to", "node2"}));
    EXPECT_EQ(slicectl({"operation", "cancel", newest("web/1").value("id", "")}).status, 4) << "it has ended";
}

TEST_F(OperationTest, ACreationOnANodeThatHangsIsCancelledAndGone) {
    signalNode("node2", SIGSTOP);
    HS_EXPECT_DONE(createSlice("stuck", {"--on", "node1,node2", "--no-wait"}));
    HS_EXPECT_DONE(slicectl({"operation", "cancel", newest("stuck").value("id", "")}));
    EXPECT_EQ(slicectlJson({"slice", "show", "stuck"}).value("state", ""), "deleting");
    signalNode("node2", SIGCONT);
    EXPECT_TRUE(eventually([] { return slicectl({"slice", "show", "stuck"}).status == 3; }));
}

TEST_F(OperationTest, LoadedNodesAreEvenedOut) {
    // A seventh of the machine each: what is less may not be worth a move.
    const int millis = slicectlJson({"node", "show", "node1"}).value("cpus", 1) * 1000 / 7;
    const std::string guarantee = std::to_string(millis / 1000) + "." + std::to_string(1000 + millis % 1000).substr(1);
    HS_EXPECT_DONE(createSlice("web", {"--on", "node1", "--slivers", "3", "--cpu-reserve", guarantee}));
    const CommandResult plan = slicectl({"node", "rebalance", "--dry-run"});
    HS_EXPECT_DONE(plan);
    EXPECT_THAT(plan.out, HasSubstr("node1"));
    EXPECT_EQ(nodesOf("web"), (std::vector<std::string>{"node1", "node1", "node1"}));
    HS_EXPECT_DONE(slicectl({"node", "rebalance"}));
    EXPECT_EQ(nodesOf("web"), (std::vector<std::string>{"node1", "node2", "node3"}));
}

}  // namespace
}  // namespace homeslice::testing_support
