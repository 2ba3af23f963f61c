// Programs are killed mid-life; slivers and their addresses go on, and the programs pick up where they were.
#include <gmock/gmock.h>

#include <csignal>
#include <future>
#include <map>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

class RecoveryTest : public LabTest {
protected:
    void TearDown() override {
        HS_EXPECT_DONE(slicectl({"lab", "restart"}));  // for the test that failed half way
        LabTest::TearDown();
    }

    // SIGKILL to those programs of the lab whose name is one of `names`; to all when there are none.
    static void kill(const std::vector<std::string>& names = {}) {
        for (const auto& program : labPrograms()) {
            const std::string name = program.value("name", "");
            if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
            EXPECT_EQ(::kill(program.value("pid", 0), SIGKILL), 0) << name;
            EXPECT_TRUE(eventually([&name] { return !isAlive(name); })) << name;
        }
    }

    static bool isAlive(const std::string& name) {
        for (const auto& program : labPrograms()) {
            if (program.value("name", "") == name) return program.value("alive", false);
        }
        return false;
    }

    // The boot of a sliver: its PID 1's start time, which no restart of it could keep.
    static std::string bootOf(const std::string& id) {
        return slicectl({"exec", id, "--", "cut", "-d", " ", "-f", "22", "/proc/1/stat"}).out;
    }

    static void expectAllRunning(const std::string& slice, size_t count) {
        EXPECT_TRUE(eventually([&] {
            const auto slivers = slicectlJson({"sliver", "ls", slice});
            return slivers.size() == count && std::all_of(slivers.begin(), slivers.end(), [](const auto& sliver) {
                       return sliver.value("state", "") == "running";
                   });
        })) << slicectl({"sliver", "ls", slice}).out;
    }
};

TEST_F(RecoveryTest, EverythingKilledAtOnceAndGoingOn) {
    createWebSlice("web", {"--nodes", "3"});
    std::map<std::string, std::string> addresses;
    std::map<std::string, std::string> boots;
    for (const std::string id : {"web/1", "web/2", "web/3"}) {
        addresses[id] = homeAddress(id);
        boots[id] = bootOf(id);
    }
    const std::string slice_address = slicectlJson({"slice", "show", "web"}).value("address", "");

    kill();
    for (const auto& [id, address] : addresses) EXPECT_NE(fetch(address), "") << id << " without any program";
    EXPECT_NE(fetch(slice_address), "") << "the slice's address without any program";

    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    expectAllRunning("web", 3);
    for (const auto& [id, address] : addresses) {
        EXPECT_EQ(bootOf(id), boots[id]) << id << " was started again";
        EXPECT_EQ(homeAddress(id), address);
        EXPECT_NE(fetch(address), "") << id;
    }
    HS_EXPECT_DONE(createSlice("later", {"--nodes", "3"}));
    expectAllRunning("later", 3);
    HS_EXPECT_DONE(slicectl({"sliver", "move", "web/1", "--to", sliver("web/2").value("node", "")}));
    EXPECT_TRUE(eventually([&] { return !fetch(addresses["web/1"]).empty(); }));
}

// Neither the node's death nor the controller's costs who follows a log a line, or shows one twice.
TEST_F(RecoveryTest, WhoFollowsALogGoesOn) {
    HS_EXPECT_DONE(createSlice(
        "count", {"--on", "node1", "--", "sh", "-c", "i=0; while :; do echo $i; i=$((i + 1)); sleep 0.02; done"}));
    auto following = std::async(std::launch::async, [] {
        return slicectl({"logs", "count/1", "-f"}, "", std::chrono::minutes(4));
    });
    const auto lastWord = [] {
        const CommandResult last = slicectl({"logs", "count/1", "--tail", "1"});
        return last.status == 0 && !last.out.empty() ? std::stoi(last.out) : -1;
    };
    const auto grows = [&] {
        int before = -1;
        return eventually([&] { return (before = lastWord()) >= 0; }) &&
               eventually([&] { return lastWord() > before + 50; });
    };
    EXPECT_TRUE(grows());
    for (const std::string program : {"node1", "sliced", "node1"}) {
        HS_EXPECT_DONE(slicectl({"lab", "restart", program}));
        EXPECT_TRUE(grows()) << program;
    }
    const int last = lastWord();
    HS_EXPECT_DONE(slicectl({"slice", "rm", "count"}));
    const CommandResult followed = following.get();
    HS_EXPECT_DONE(followed);
    const std::vector<std::string> lines = linesOf(followed.out);
    EXPECT_GT(lines.size(), static_cast<size_t>(last));
    for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], std::to_string(i));
}

TEST_F(RecoveryTest, TheControllerForgetsNothing) {
    HS_EXPECT_DONE(createSlice("kept", {"--nodes", "2", "--memory", "64M", "--lease", "5h"}));
    const auto before = slicectlJson({"slice", "show", "kept"});
    kill({"sliced"});
    EXPECT_EQ(slicectl({"slice", "ls"}).status, 1);
    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    expectAllRunning("kept", 2);
    const auto after = slicectlJson({"slice", "show", "kept"});
    for (const char* field : {"name", "image_digest", "address", "prefix", "resources", "lease_end", "created"}) {
        ASSERT_TRUE(before.contains(field)) << field;
        EXPECT_EQ(after.at(field), before.at(field));
    }
    EXPECT_EQ(slicectlJson({"image", "ls"}).size(), 1U);
}

TEST_F(RecoveryTest, ASliverThatEndsWhileItsNodeIsDeadIsNoticed) {
    HS_EXPECT_DONE(createSlice(
        "brief", {"--on", "node1", "--", "sh", "-c", "while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 5"}));
    HS_EXPECT_DONE(slicectl({"exec", "brief/1", "--", "sh", "-c", "(sleep 1; touch /tmp/end) >/dev/null 2>&1 &"}));
    kill({"node1"});
    pauseBetweenLooks();
    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    EXPECT_TRUE(eventually([this] { return sliver("brief/1").value("state", "") == "exited"; }));
    EXPECT_EQ(sliver("brief/1").value("exit_status", -1), 5);
}

TEST_F(RecoveryTest, ASliceRemovedWhileANodeIsDeadGoesWhenItIsBack) {
    HS_EXPECT_DONE(createSlice("doomed", {"--on", "node1,node2"}));
    kill({"node2"});
    EXPECT_NE(slicectl({"slice", "rm", "doomed", "--timeout", "2s"}).status, 0) << "node2 has not answered yet";
    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    EXPECT_TRUE(eventually([] { return slicectl({"slice", "show", "doomed"}).status == 3; }));
    const std::string links = slicectl({"lab", "node", "node2", "--", "ip", "-o", "link"}).out;
    EXPECT_EQ(linesOf(links).size(), 2U) << "lo and eth0 only:\n" << links;
}

TEST_F(RecoveryTest, ANamedProgramIsStartedAgainEvenIfItLives) {
    createWebSlice("web", {"--on", "node3"});
    const std::string boot = bootOf("web/1");
    const auto pidOf = [](const std::string& name) {
        for (const auto& program : labPrograms()) {
            if (program.value("name", "") == name) return program.value("pid", 0);
        }
        return 0;
    };
    const int before = pidOf("node3");
    HS_EXPECT_DONE(slicectl({"lab", "restart", "node3"}));
    EXPECT_NE(pidOf("node3"), before);
    EXPECT_EQ(bootOf("web/1"), boot);
    EXPECT_EQ(slicectl({"lab", "restart", "node9"}).status, 3);
}

}  // namespace
}  // namespace homeslice::testing_support
