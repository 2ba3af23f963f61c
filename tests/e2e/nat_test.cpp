// Nodes behind a NAT that lets nothing in: node2 and node3, in one network there. node1 is outside, as all others.
#include <gmock/gmock.h>

#include <set>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

class NatTest : public LabTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "3", "--ipv4", "--behind-nat", "2"}); }

    static std::string get(const std::string& sliver, const std::string& address) {
        const CommandResult got =
            slicectl({"exec", sliver, "--", "wget", "-q", "-O", "-", "http://[" + address + "]/"});
        return got.status == 0 ? got.out : got.err;
    }
    static bool answers(const std::string& address, const std::string& path, const std::string& text) {
        return eventually([&] { return fetch(address, path) == text; });
    }
};

TEST_F(NatTest, EverybodyReachesSliversThereAndTheyEverybody) {
    const auto nodes = slicectlJson({"node", "ls"});
    for (const auto& node : nodes) {
        const bool hidden = node.value("name", "") == "node2" || node.value("name", "") == "node3";
        EXPECT_EQ(node.value("behind_nat", false), hidden) << node;
        EXPECT_EQ(node.value("care_of_address", "").starts_with("10.52."), hidden) << node;
    }
    createWebSlice("web", {"--on", "node1,node2,node3"});
    for (const char* from : {"web/1", "web/2", "web/3"}) {
        for (const char* to : {"web/1", "web/2", "web/3"}) {
            EXPECT_THAT(get(from, homeAddress(to)), HasSubstr(std::string("web-") + to[4])) << from << " " << to;
        }
    }
    std::set<std::string> served;
    const std::string shared = slicectlJson({"slice", "show", "web"}).value("address", "");
    EXPECT_TRUE(eventually([&] { return served.insert(fetch(shared)).second && served.size() >= 3; })) << served.size();
}

TEST_F(NatTest, TheControllerCallsThemThroughTheirOwnCalls) {
    HS_EXPECT_DONE(createSlice("far", {"--on", "node2", "--", "sh", "-c", "echo begun; exec sleep 100000"}));
    const CommandResult echoed = slicectl({"exec", "-i", "far/1", "--", "cat"}, std::string(300'000, 'x'));
    EXPECT_EQ(echoed.out.size(), 300'000U) << echoed.err;
    EXPECT_TRUE(eventually([] { return slicectl({"logs", "far/1"}).out == "begun\n"; }));
    EXPECT_EQ(slicectl({"exec", "far/1", "--", "sh", "-c", "exit 5"}).status, 5);
    const auto programs = slicectl({"lab", "restart", "sliced"});
    HS_EXPECT_DONE(programs);
    EXPECT_TRUE(eventually([] { return slicectl({"exec", "far/1", "--", "true"}).status == 0; }));
    HS_EXPECT_DONE(slicectl({"lab", "restart", "node2"}));
    EXPECT_TRUE(eventually([] { return slicectl({"exec", "far/1", "--", "true"}).status == 0; }));
}

TEST_F(NatTest, SliversMoveInAndOutWithTheirDisks) {
    createWebSlice("nomad", {"--on", "node1"});
    const std::string address = homeAddress("nomad/1");
    HS_EXPECT_DONE(slicectl({"exec", "nomad/1", "--", "sh", "-c", "echo kept > /var/www/note"}));
    for (const char* node : {"node2", "node3", "node1"}) {  // in; from one hidden node to another; out
        SCOPED_TRACE(node);
        HS_EXPECT_DONE(slicectl({"sliver", "move", "nomad/1", "--to", node}));
        EXPECT_EQ(sliver("nomad/1").value("node", ""), node);
        EXPECT_TRUE(answers(address, "note", "kept\n"));
    }
}

TEST_F(NatTest, LostMappingsHeal) {
    createWebSlice("firm", {"--on", "node2,node3"});
    const std::string first = homeAddress("firm/1");
    const std::string second = homeAddress("firm/2");
    HS_EXPECT_DONE(slicectl({"exec", "firm/1", "--", "sh", "-c", "echo one > /var/www/note"}));
    HS_EXPECT_DONE(slicectl({"exec", "firm/2", "--", "sh", "-c", "echo two > /var/www/note"}));
    HS_EXPECT_DONE(slicectl({"lab", "node", "nat", "--", "conntrack", "-F"}));
    EXPECT_TRUE(answers(first, "note", "one\n"));
    EXPECT_TRUE(answers(second, "note", "two\n"));
    HS_EXPECT_DONE(slicectl({"exec", "firm/1", "--", "true"}));
}

}  // namespace
}  // namespace homeslice::testing_support
