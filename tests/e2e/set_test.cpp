// Slivers of every kind, changed while they run: what slicectl was told is seen from inside, and from outside.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SetTest : public LabTest {
protected:
    static CommandResult in(const std::string& id, const std::string& script) {
        return slicectl({"exec", id, "--", "sh", "-c", script});
    }
    // Whether so many processes at once are allowed inside.
    static bool holds(const std::string& id, int processes) {
        return in(id, "for i in $(seq " + std::to_string(processes) + "); do sleep 1 & done; wait").status == 0;
    }
    static bool takesMemory(const std::string& id, int mebibytes) {
        return in(id, "dd if=/dev/zero of=/dev/null count=1 bs=" + std::to_string(mebibytes) + "M").status == 0;
    }
};

TEST_F(SetTest, LimitsChangeWhileTheSliverRuns) {
    HS_EXPECT_DONE(createSlice("tight", {"--nodes", "2", "--pids", "16", "--memory", "48M"}));
    const auto before = sliver("tight/2");
    EXPECT_FALSE(holds("tight/2", 30));
    EXPECT_FALSE(takesMemory("tight/2", 96));
    HS_EXPECT_DONE(slicectl({"slice", "set", "tight", "--pids", "64", "--memory", "256M"}));
    EXPECT_TRUE(holds("tight/2", 30));
    EXPECT_TRUE(holds("tight/1", 30));
    EXPECT_TRUE(takesMemory("tight/2", 96));
    const auto after = sliver("tight/2");
    EXPECT_EQ(after["running_since"], before["running_since"]) << "it was started anew";
    EXPECT_EQ(after["generation"], before["generation"]);
    HS_EXPECT_DONE(slicectl({"slice", "set", "tight", "--pids", "16"}));
    EXPECT_FALSE(holds("tight/2", 30));
    EXPECT_TRUE(takesMemory("tight/2", 96)) << "what was not named stays as it is";
    HS_EXPECT_DONE(slicectl({"slice", "set", "tight", "--pids", "none"}));
    EXPECT_TRUE(holds("tight/2", 30));
    const auto resources = slicectlJson({"slice", "show", "tight"})["resources"];
    EXPECT_EQ(resources.value("pids", -1), 0);
    EXPECT_EQ(resources.value("memory_bytes", 0), 256 << 20);
}

TEST_F(SetTest, NewLimitsGoWithASliverThatMoves) {
    HS_EXPECT_DONE(createSlice("mover", {"--on", "node1", "--pids", "16"}));
    HS_EXPECT_DONE(slicectl({"slice", "set", "mover", "--pids", "64"}));
    HS_EXPECT_DONE(slicectl({"sliver", "move", "mover/1", "--to", "node2"}));
    EXPECT_TRUE(holds("mover/1", 30));
}

TEST_F(SetTest, RefusesWhatCannotBeSet) {
    HS_EXPECT_DONE(createSlice("fixed", {"--nodes", "1", "--cpus", "0.5"}));
    EXPECT_EQ(slicectl({"slice", "set", "missing", "--pids", "16"}).status, 3);
    EXPECT_EQ(slicectl({"slice", "set", "fixed", "--cpu-reserve", "1"}).status, 1) << "above its cap";
    EXPECT_EQ(slicectl({"slice", "set", "fixed"}).status, 1);
}

TEST_F(SetTest, EachSliverIsWhatWasAskedFor) {
    const std::string folder = std::filesystem::temp_directory_path() / ("hst-set-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/note") << "from outside\n";
    std::ofstream(folder + "/env") << "# comment\nMODE=file\nEXTRA=1\n";
    HS_EXPECT_DONE(createSlice("kind", {"--nodes",      "1",
                                        "--env-file",   folder + "/env",
                                        "--env",        "MODE=two words",
                                        "--file",       folder + "/note:/etc/note:0640",
                                        "--user",       "nobody",
                                        "--workdir",    "/var",
                                        "--hostname",   "front",
                                        "--host",       "db.example=fd00::5",
                                        "--dns",        "fd00::53",
                                        "--dns-search", "example",
                                        "--",           "sh",
                                        "-c",           "echo \"$MODE/$EXTRA\"; id -un; pwd; hostname; sleep 1000"}));
    std::filesystem::remove_all(folder);
    EXPECT_TRUE(eventually([] { return linesOf(slicectl({"logs", "kind/1"}).out).size() == 4; }));
    EXPECT_THAT(linesOf(slicectl({"logs", "kind/1"}).out), ElementsAre("two words/1", "nobody", "/var", "front"));
    EXPECT_EQ(in("kind/1", "echo $MODE").out, "two words\n");
    EXPECT_EQ(slicectl({"exec", "kind/1", "-u", "0", "--", "cat", "/etc/note"}).out, "from outside\n");
    EXPECT_EQ(in("kind/1", "stat -c %a /etc/note").out, "640\n");
    EXPECT_THAT(in("kind/1", "cat /etc/hosts").out, HasSubstr("fd00::5"));
    EXPECT_THAT(in("kind/1", "cat /etc/resolv.conf").out, HasSubstr("nameserver fd00::53"));
    EXPECT_THAT(in("kind/1", "cat /etc/resolv.conf").out, HasSubstr("search example"));
}

TEST_F(SetTest, ACommandThatFailsIsStartedAgain) {
    HS_EXPECT_DONE(
        createSlice("again", {"--nodes", "1", "--restart", "on-failure", "--", "sh", "-c", "echo here; exit 3"}));
    EXPECT_TRUE(eventually([this] { return sliver("again/1").value("restarts", 0) >= 2; }));
    EXPECT_EQ(sliver("again/1").value("exit_status", -1), 3);
    EXPECT_GE(linesOf(slicectl({"logs", "again/1"}).out).size(), 2U);
    HS_EXPECT_DONE(createSlice("well", {"--nodes", "1", "--restart", "on-failure", "--", "true"}));
    EXPECT_TRUE(eventually([this] { return sliver("well/1").value("state", "") == "exited"; }));
    EXPECT_EQ(sliver("well/1").value("restarts", -1), 0);
}

TEST_F(SetTest, HealthIsSeenFromOutside) {
    HS_EXPECT_DONE(createSlice("ill", {"--nodes", "1", "--health", "[ -f /tmp/well ]", "--health-interval", "200ms",
                                       "--health-failures", "2"}));
    const auto health = [this] { return sliver("ill/1").value("health", ""); };
    EXPECT_TRUE(eventually([&] { return health() == "unhealthy"; })) << health();
    EXPECT_EQ(slicectlJson({"slice", "show", "ill"})["totals"].value("unhealthy", 0), 1);
    HS_EXPECT_DONE(in("ill/1", "touch /tmp/well"));
    EXPECT_TRUE(eventually([&] { return health() == "healthy"; })) << health();
}

TEST_F(SetTest, AFrozenSliverKeepsItsClientsWaiting) {
    createWebSlice("ice", {"--on", "node1,node2"});
    const std::string address = homeAddress("ice/1");
    HS_EXPECT_DONE(slicectl({"sliver", "freeze", "ice/1"}));
    EXPECT_EQ(sliver("ice/1").value("state", ""), "frozen");
    EXPECT_EQ(fetch(address), "");
    EXPECT_NE(fetch(homeAddress("ice/2")), "") << "its neighbour goes on";
    EXPECT_EQ(slicectl({"sliver", "move", "ice/1", "--to", "node3"}).status, 4);
    HS_EXPECT_DONE(slicectl({"sliver", "thaw", "ice"}));
    EXPECT_EQ(sliver("ice/1").value("state", ""), "running");
    EXPECT_TRUE(eventually([&] { return fetch(address) != ""; }));
}

}  // namespace
}  // namespace homeslice::testing_support
