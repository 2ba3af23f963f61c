// Slices as their users see them: create, reach, run commands in, list, remove.
#include <gmock/gmock.h>

#include <set>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class SliceTest : public LabTest {};

TEST_F(SliceTest, ServesFromEverySliverAndFromItsOwnAddress) {
    createWebSlice("web", {"--nodes", "3"});
    for (const auto& each : slicectlJson({"sliver", "ls", "web"})) {
        EXPECT_EQ(each.value("state", ""), "running");
        EXPECT_THAT(fetch(each.value("home_address", "")), HasSubstr(std::to_string(each.value("index", 0))));
    }
    const std::string slice_address = slicectlJson({"slice", "show", "web"}).value("address", "");
    std::set<std::string> answers;
    for (int i = 0; i < 40; ++i) answers.insert(fetch(slice_address));
    EXPECT_FALSE(answers.contains("")) << "a request to the slice's address failed";
    EXPECT_GT(answers.size(), 1U) << "all answers came from one sliver";
}

TEST_F(SliceTest, OnlyExposedPortsAreReachableFromOutside) {
    createWebSlice("web", {"--on", "node1"});
    HS_EXPECT_DONE(slicectl({"exec", "web/1", "--", "sh", "-c", "httpd -p 8080 -h /var/www"}));
    HS_EXPECT_DONE(slicectl({"exec", "web/1", "--", "wget", "-q", "-O", "-", "http://[::1]:8080/"}));
    const CommandResult refused =
        inClient({"curl", "-gs", "--max-time", "1", "http://[" + homeAddress("web/1") + "]:8080/"});
    EXPECT_NE(refused.status, 0);
    EXPECT_EQ(refused.out, "");
}

TEST_F(SliceTest, SliversReachEachOtherPastTheHomeAgent) {
    createWebSlice("web", {"--nodes", "3"});
    const std::string target = homeAddress("web/2");
    const auto forwarded = [&target] {
        for (const auto& binding : slicectlJson({"home", "ls"})) {
            if (binding.value("home_address", "") == target) return binding.value("forwarded_packets", int64_t{-1});
        }
        return int64_t{-1};
    };
    const int64_t before = forwarded();
    ASSERT_GE(before, 0);
    const CommandResult direct = slicectl({"exec", "web/1", "--", "wget", "-q", "-O", "-", "http://[" + target + "]/"});
    HS_EXPECT_DONE(direct);
    EXPECT_THAT(direct.out, HasSubstr("2"));
    EXPECT_EQ(forwarded(), before) << "the packets went through the home agent";
    EXPECT_NE(fetch(target), "");
    EXPECT_GT(forwarded(), before) << "the home agent does not count what it forwards";
}

TEST_F(SliceTest, ExecLabelsOutputBySliver) {
    HS_EXPECT_DONE(createSlice("many", {"--nodes", "3"}));
    const CommandResult result = slicectl({"exec", "many", "--", "sh", "-c", "echo out; echo err >&2"});
    HS_EXPECT_DONE(result);
    EXPECT_THAT(linesOf(result.out), UnorderedElementsAre("many/1 | out", "many/2 | out", "many/3 | out"));
    EXPECT_THAT(linesOf(result.err), UnorderedElementsAre("many/1 | err", "many/2 | err", "many/3 | err"));
}

TEST_F(SliceTest, ExecPassesInputOutputAndStatusExactly) {
    HS_EXPECT_DONE(createSlice("one", {"--nodes", "1"}));
    std::string input;
    for (int i = 0; i < 300000; ++i) input += static_cast<char>(i % 251);
    const CommandResult cat = slicectl({"exec", "one/1", "--", "cat"}, input);
    HS_EXPECT_DONE(cat);
    EXPECT_EQ(cat.out, input);
    EXPECT_EQ(slicectl({"exec", "one/1", "--", "sh", "-c", "exit 7"}).status, 7);
    EXPECT_EQ(slicectl({"exec", "one/1", "--", "sh", "-c", "kill -9 $$"}).status, 137);
    EXPECT_EQ(slicectl({"exec", "one/1", "--", "no-such-program"}).status, 127);
    EXPECT_EQ(slicectl({"exec", "one/1", "--", "/etc/passwd"}).status, 126);
}

TEST_F(SliceTest, LogsKeepBothStreams) {
    HS_EXPECT_DONE(createSlice("talk", {"--nodes", "1", "--", "sh", "-c", "echo one; echo two >&2; sleep 1000"}));
    EXPECT_TRUE(eventually([] { return linesOf(slicectl({"logs", "talk/1"}).out).size() == 2; }));
    EXPECT_THAT(linesOf(slicectl({"logs", "talk/1"}).out), UnorderedElementsAre("one", "two"));
}

TEST_F(SliceTest, ACommandThatEndsLeavesItsStatus) {
    HS_EXPECT_DONE(createSlice("brief", {"--nodes", "1", "--", "sh", "-c", "echo done; exit 3"}));
    EXPECT_TRUE(eventually([this] { return sliver("brief/1").value("state", "") == "exited"; }));
    EXPECT_EQ(sliver("brief/1").value("exit_status", -1), 3);
    EXPECT_EQ(slicectl({"logs", "brief/1"}).out, "done\n");
    EXPECT_EQ(slicectl({"exec", "brief/1", "--", "true"}).status, 4) << "there is nothing to run a command in";
}

TEST_F(SliceTest, IsolatesSliversFromTheNodeAndFromEachOther) {
    HS_EXPECT_DONE(createSlice("iso", {"--on", "node1", "--slivers", "2"}));
    const auto in = [](const std::string& id, const std::string& script) {
        return slicectl({"exec", id, "--", "sh", "-c", script}).out;
    };
    EXPECT_EQ(in("iso/1", "ps -o pid= | head -n 1 | tr -d ' '"), "1\n");
    EXPECT_EQ(in("iso/1", "id -u"), "0\n");
    EXPECT_NE(in("iso/1", "cat /proc/self/uid_map"), in("iso/2", "cat /proc/self/uid_map"));
    EXPECT_THAT(in("iso/1", "cat /proc/self/uid_map"), testing::Not(HasSubstr(" 0          0")));
    EXPECT_THAT(in("iso/1", "grep NoNewPrivs /proc/self/status"), HasSubstr("1"));
    EXPECT_THAT(in("iso/1", "grep Seccomp: /proc/self/status"), HasSubstr("2"));
    EXPECT_EQ(in("iso/1", "ls /sys/class/net | sort | tr '\\n' ' '"), "eth0 lo ");
    EXPECT_NE(slicectl({"exec", "iso/1", "--", "mount", "-t", "tmpfs", "none", "/mnt"}).status, 0);
    EXPECT_NE(slicectl({"exec", "iso/1", "--", "sh", "-c", "echo x > /proc/sysrq-trigger"}).status, 0);
    EXPECT_NE(slicectl({"exec", "iso/1", "--", "sh", "-c", "echo x > /proc/sys/kernel/core_pattern"}).status, 0);
    HS_EXPECT_DONE(slicectl({"exec", "iso/1", "--", "sh", "-c", "echo mine > /root/file"}));
    EXPECT_NE(slicectl({"exec", "iso/2", "--", "cat", "/root/file"}).status, 0);
}

TEST_F(SliceTest, KeepsToItsLimits) {
    HS_EXPECT_DONE(createSlice("tight", {"--nodes", "1", "--memory", "64M", "--pids", "16", "--cpus", "0.5"}));
    const CommandResult hog =
        slicectl({"exec", "tight/1", "--", "sh", "-c", "dd if=/dev/zero of=/dev/null bs=256M count=1"});
    EXPECT_EQ(hog.status, 137) << hog.err;
    const CommandResult forks =
        slicectl({"exec", "tight/1", "--", "sh", "-c", "for i in $(seq 40); do sleep 5 & done; wait"});
    EXPECT_NE(forks.status, 0);
    EXPECT_THAT(forks.err, HasSubstr("fork"));
    EXPECT_EQ(sliver("tight/1").value("state", ""), "running") << "the sliver outlives what its limits stop";
}

TEST_F(SliceTest, DropsSpoofedSources) {
    HS_EXPECT_DONE(createSlice("liar", {"--on", "node1"}));
    const std::string client = "fd00:51ce::cccc";
    const std::string other = "fd51:1ce:0:ffff::66";
    HS_EXPECT_DONE(slicectl({"exec", "liar/1", "--", "ping", "-c", "1", "-W", "2", client}));
    EXPECT_NE(slicectl({"exec", "liar/1", "--", "ip", "-6", "addr", "add", other + "/128", "dev", "lo"}).status, 0)
        << "a sliver may not even give itself an address";

    // So the host's root, whom nothing inside holds back, does it for the sliver.
    const auto inspected = slicectlJson({"node", "inspect", "node1"});
    const auto pid = inspected.at("slivers").at(0).at("record").at("process").at("pid").get<int>();
    const auto as_root_in_sliver = [pid](std::vector<std::string> argv) {
        argv.insert(argv.begin(), {"nsenter", "--target", std::to_string(pid), "--net"});
        return runCommand(argv);
    };
    const auto dropped = [] {
        const auto node = slicectlJson({"node", "inspect", "node1"});
        return node.at("forwarder").at("dropped_spoofed_source").get<uint64_t>();
    };
    HS_EXPECT_DONE(as_root_in_sliver({"ip", "-6", "addr", "add", other + "/128", "dev", "lo", "nodad"}));
    HS_EXPECT_DONE(as_root_in_sliver({"ping", "-c", "1", "-W", "2", "-I", homeAddress("liar/1"), client}));
    const uint64_t before = dropped();
    EXPECT_NE(as_root_in_sliver({"ping", "-c", "1", "-W", "1", "-I", other, client}).status, 0);
    EXPECT_GT(dropped(), before);
}

TEST_F(SliceTest, ListsInEveryFormat) {
    HS_EXPECT_DONE(createSlice("shown", {"--nodes", "2", "--lease", "2h", "--memory", "64M", "--pids", "32"}));
    const auto slice = slicectlJson({"slice", "show", "shown"});
    EXPECT_EQ(slice.value("slivers", 0), 2);
    EXPECT_EQ(slice.value("slivers_running", 0), 2);
    EXPECT_EQ(slice["resources"].value("memory_bytes", 0), 64 << 20);
    EXPECT_THAT(slicectl({"slice", "ls"}).out, HasSubstr("shown"));
    EXPECT_THAT(slicectl({"slice", "ls", "-o", "yaml"}).out, HasSubstr("name: \"shown\""));
    EXPECT_EQ(slicectlJson({"home", "ls"}).size(), 4U) << "two slivers, each under its own and the slice's address";
    const auto renewed = slicectlJson({"slice", "renew", "shown", "--lease", "3d"});
    EXPECT_GT(renewed.value("lease_end", ""), slice.value("lease_end", ""));
}

TEST_F(SliceTest, RemovedSlicesAreGone) {
    HS_EXPECT_DONE(createSlice("gone", {"--nodes", "3"}));
    HS_EXPECT_DONE(slicectl({"slice", "rm", "gone"}));
    EXPECT_EQ(slicectl({"slice", "show", "gone"}).status, 3);
    EXPECT_EQ(slicectlJson({"sliver", "ls"}).size(), 0U);
    EXPECT_EQ(slicectlJson({"home", "ls"}).size(), 0U);
}

}  // namespace
}  // namespace homeslice::testing_support
