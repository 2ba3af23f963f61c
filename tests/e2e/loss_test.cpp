// A node that the controller cannot hear, in a real lab: its slivers go on, until it is lost; then they are elsewhere,
// with the same addresses, and what the lost node still has is worth nothing.
#include <gmock/gmock.h>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

constexpr std::chrono::seconds kUntilReplaced{60};

class LossTest : public LabTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "3", "--replace-after", "8s"}); }

    void TearDown() override {
        heal("node1");  // for the test that failed half way
        LabTest::TearDown();
    }

    // The node's packets to the controller go nowhere; it still reaches everybody else, home agents too.
    static CommandResult cut(const std::string& node) { return route(node, "add"); }
    static CommandResult heal(const std::string& node) { return route(node, "del"); }
    static CommandResult route(const std::string& node, const std::string& verb) {
        return slicectl({"lab", "node", node, "--", "ip", "-6", "route", verb, "blackhole", "fd00:51ce::c0c0/128"});
    }
    static bool isReady(const std::string& node) { return slicectlJson({"node", "show", node}).value("ready", false); }
};

TEST_F(LossTest, ALostNodesSliverAnswersElsewhereUnderItsAddress) {
    createWebSlice("web", {"--on", "node1"});
    const std::string address = homeAddress("web/1");
    HS_EXPECT_DONE(slicectl({"exec", "web/1", "--", "sh", "-c", "echo old > /var/www/mark"}));
    ASSERT_EQ(fetch(address, "mark"), "old\n");

    HS_EXPECT_DONE(cut("node1"));
    ASSERT_TRUE(eventually([] { return !isReady("node1"); }, kUntilReplaced));
    EXPECT_EQ(fetch(address, "mark"), "old\n") << "it is cut off, not lost";
    ASSERT_TRUE(eventually([this] { return sliver("web/1").value("node", "") != "node1"; }, kUntilReplaced));
    EXPECT_TRUE(eventually([&] { return !fetch(address).empty() && fetch(address, "mark").empty(); }, kUntilReplaced))
        << "the new one answers, with a disk of its own";
    EXPECT_EQ(sliver("web/1").value("generation", 0), 2);
    EXPECT_EQ(homeAddress("web/1"), address);
    const auto operations = slicectlJson({"operation", "ls", "node1"});
    ASSERT_FALSE(operations.empty());
    EXPECT_EQ(operations.back().value("kind", ""), "replace slivers");

    HS_EXPECT_DONE(heal("node1"));
    EXPECT_TRUE(eventually([] { return isReady("node1"); }, kUntilReplaced));
    EXPECT_TRUE(eventually(
        [] {
            return linesOf(slicectl({"lab", "node", "node1", "--", "ip", "-o", "link"}).out).size() == 2;
        },
        kUntilReplaced))
        << "lo and eth0 only: what it had is removed";
    EXPECT_EQ(sliver("web/1").value("generation", 0), 2);
    EXPECT_NE(fetch(address), "");
    EXPECT_TRUE(eventually(
        [] {
            return slicectlJson({"node", "show", "node1"}).value("bindings_refused", 0) > 0;
        },
        kUntilReplaced))
        << "it was fenced meanwhile";
    // The home agents told the node why, and the node the administrator.
    const std::string why = slicectlJson({"node", "show", "node1"}).value("binding_refusal", "");
    EXPECT_THAT(why, HasSubstr("refuses the binding of fd51:1ce:"));
    EXPECT_THAT(why, HasSubstr("generation 1): Generation stale, generation 2 is bound"));
}

TEST_F(LossTest, ASliceThatStaysWaitsForItsNode) {
    createWebSlice("kept", {"--on", "node1", "--on-node-loss", "stay"});
    HS_EXPECT_DONE(createSlice("web", {"--on", "node1"}));
    const std::string address = homeAddress("kept/1");
    HS_EXPECT_DONE(cut("node1"));
    ASSERT_TRUE(eventually([this] { return sliver("web/1").value("node", "") != "node1"; }, kUntilReplaced));
    EXPECT_EQ(sliver("kept/1").value("node", ""), "node1");
    EXPECT_NE(fetch(address), "");
    HS_EXPECT_DONE(heal("node1"));
    EXPECT_TRUE(eventually([this] { return sliver("kept/1").value("state", "") == "running" && isReady("node1"); },
                           kUntilReplaced));
    EXPECT_EQ(sliver("kept/1").value("generation", 0), 1);
}

}  // namespace
}  // namespace homeslice::testing_support
