// A sliver that moves keeps its home address and its disk; where it was, nothing stays.
#include <gmock/gmock.h>
#include <signal.h>

#include <map>

#include "tests/support/lab.h"
#include "tests/support/pty.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

class MoveTest : public LabTest {};

TEST_F(MoveTest, ThereAndBackAgain) {
    createWebSlice("nomad", {"--on", "node1"});
    const std::string address = homeAddress("nomad/1");
    HS_EXPECT_DONE(slicectl({"exec", "nomad/1", "--", "sh", "-c",
                             "echo kept > /var/www/note; ln -s note /var/www/link; rm /etc/group; chown 33:33 /root"}));
    int64_t generation = sliver("nomad/1").value("generation", int64_t{0});
    for (const char* node : {"node2", "node3", "node1"}) {
        SCOPED_TRACE(node);
        HS_EXPECT_DONE(slicectl({"sliver", "move", "nomad/1", "--to", node}));
        const auto moved = sliver("nomad/1");
        EXPECT_EQ(moved.value("node", ""), node);
        EXPECT_EQ(moved.value("state", ""), "running");
        EXPECT_EQ(moved.value("home_address", ""), address);
        EXPECT_GT(moved.value("generation", int64_t{0}), generation);
        generation = moved.value("generation", int64_t{0});
        EXPECT_TRUE(eventually([&address] { return fetch(address, "note") == "kept\n"; }));
        EXPECT_EQ(slicectl({"exec", "nomad/1", "--", "cat", "/var/www/link"}).out, "kept\n");
        EXPECT_NE(slicectl({"exec", "nomad/1", "--", "test", "-e", "/etc/group"}).status, 0) << "deleted files return";
        EXPECT_EQ(slicectl({"exec", "nomad/1", "--", "stat", "-c", "%u:%g", "/root"}).out, "33:33\n");
    }
}

TEST_F(MoveTest, ASliceAddressFollowsItsSlivers) {
    createWebSlice("herd", {"--on", "node1,node2"});
    HS_EXPECT_DONE(slicectl({"sliver", "move", "herd/1", "--to", "node2"}));
    const std::string address = slicectlJson({"slice", "show", "herd"}).value("address", "");
    for (int i = 0; i < 10; ++i) EXPECT_NE(fetch(address), "");
    for (const auto& binding : slicectlJson({"home", "ls"})) EXPECT_EQ(binding.value("node", ""), "node2");
}

TEST_F(MoveTest, HomeWatchTellsOfItAsItHappens) {
    PtyProgram watch({std::string(HS_BIN_DIRECTORY) + "/slicectl", "home", "watch"});
    createWebSlice("seen", {"--on", "node1"});
    const std::string binding = homeAddress("seen/1") + " (seen/1)";
    EXPECT_TRUE(watch.shows("bound " + binding)) << watch.screen();
    EXPECT_TRUE(watch.shows("(node1)")) << watch.screen();
    HS_EXPECT_DONE(slicectl({"sliver", "move", "seen/1", "--to", "node2"}));
    EXPECT_TRUE(watch.shows(binding)) << watch.screen();
    EXPECT_TRUE(watch.shows("(node2)")) << watch.screen();
    HS_EXPECT_DONE(slicectl({"slice", "rm", "seen"}));
    EXPECT_TRUE(watch.shows("gone " + binding)) << watch.screen();
}

TEST_F(MoveTest, LeavesNothingWhereItWas) {
    createWebSlice("tidy", {"--on", "node1"});
    HS_EXPECT_DONE(slicectl({"sliver", "move", "tidy/1", "--to", "node2"}));
    const auto node1 = slicectl({"lab", "node", "node1", "--", "ip", "-o", "link"});
    EXPECT_EQ(linesOf(node1.out).size(), 2U) << "lo and eth0 only:\n" << node1.out;
    EXPECT_EQ(slicectlJson({"node", "show", "node1"}).value("slivers", -1), 0);
    EXPECT_EQ(slicectlJson({"node", "show", "node2"}).value("slivers", -1), 1);
}

TEST_F(MoveTest, ADrainedNodeKeepsNothingAndItsSliversKeepTheirAddresses) {
    createWebSlice("fleet", {"--slivers", "4", "--on", "node1,node2"});
    std::map<std::string, std::string> addresses;
    for (const auto& each : slicectlJson({"sliver", "ls"})) {
        addresses[each.value("id", "")] = each.value("home_address", "");
    }
    HS_EXPECT_DONE(slicectl({"node", "drain", "node1"}));
    EXPECT_EQ(slicectlJson({"node", "show", "node1"}).value("slivers", -1), 0);
    EXPECT_TRUE(slicectlJson({"node", "show", "node1"}).value("cordoned", false));
    for (const auto& each : slicectlJson({"sliver", "ls"})) {
        const std::string address = each.value("home_address", "");
        EXPECT_EQ(address, addresses[each.value("id", "")]);
        EXPECT_NE(each.value("node", ""), "node1");
        EXPECT_TRUE(eventually([&address] { return !fetch(address).empty(); })) << address;
    }
    const CommandResult refused = slicectl({"slice", "plan", "more", "--image", "busybox", "--nodes", "3"});
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.err, HasSubstr("cordoned 1 (node1)"));
    HS_EXPECT_DONE(slicectl({"node", "uncordon", "node1"}));
    EXPECT_EQ(slicectl({"slice", "plan", "more", "--image", "busybox", "--nodes", "3"}).status, 0);
}

pid_t pidOfProgram(const std::string& name) {
    for (const auto& program : labPrograms()) {
        if (program.value("name", "") == name) return program.at("pid").get<pid_t>();
    }
    return 0;
}

TEST_F(MoveTest, GoesOnWhereItWasWhenTheMoveFails) {
    createWebSlice("safe", {"--on", "node1"});
    const std::string address = homeAddress("safe/1");
    HS_EXPECT_DONE(slicectl({"exec", "safe/1", "--", "sh", "-c", "echo mine > /var/www/note"}));
    const pid_t node2 = pidOfProgram("node2");
    ASSERT_GT(node2, 0);
    // The controller believes for some seconds more that it is there.
    ASSERT_EQ(::kill(node2, SIGSTOP), 0);
    const CommandResult move = slicectl({"sliver", "move", "safe/1", "--to", "node2"});
    ASSERT_EQ(::kill(node2, SIGCONT), 0);
    EXPECT_NE(move.status, 0);
    EXPECT_THAT(move.err, HasSubstr("node2"));

    EXPECT_TRUE(eventually([this] { return sliver("safe/1").value("state", "") == "running"; }));
    EXPECT_EQ(sliver("safe/1").value("node", ""), "node1");
    EXPECT_TRUE(eventually([&address] { return fetch(address, "note") == "mine\n"; }));
    EXPECT_TRUE(eventually([] { return slicectlJson({"node", "show", "node2"}).value("ready", false); }));
    HS_EXPECT_DONE(slicectl({"sliver", "move", "safe/1", "--to", "node2"}));
    EXPECT_TRUE(eventually([&address] { return fetch(address, "note") == "mine\n"; }));
}

TEST_F(MoveTest, RefusesWhatMakesNoSense) {
    createWebSlice("still", {"--on", "node1"});
    EXPECT_EQ(slicectl({"sliver", "move", "still/1", "--to", "node1"}).status, 4);
    EXPECT_EQ(slicectl({"sliver", "move", "still/1", "--to", "nowhere"}).status, 3);
    EXPECT_EQ(slicectl({"sliver", "move", "still/2", "--to", "node2"}).status, 3);
    EXPECT_EQ(slicectl({"sliver", "move", "still/1", "--to", "ha"}).status, 4);
    EXPECT_EQ(sliver("still/1").value("node", ""), "node1");
    EXPECT_NE(fetch(homeAddress("still/1")), "");
}

}  // namespace
}  // namespace homeslice::testing_support
