// The life of slivers as a user sees it: policies, health, freezing, stopping, disks.
#include <gmock/gmock.h>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

class LifeTest : public LabTest {
protected:
    static CommandResult in(const std::string& id, const std::string& script) {
        return slicectl({"exec", id, "--", "sh", "-c", script});
    }
    bool becomes(const std::string& id, const std::string& field, const nlohmann::json& value) {
        return eventually([&] { return sliver(id)[field] == value; });
    }
};

TEST_F(LifeTest, APolicyRunsACommandAgain) {
    HS_EXPECT_DONE(createSlice("again", {"--nodes", "1", "--restart", "on-failure", "--", "sh", "-c",
                                         "test -e /again && sleep 1000; touch /again; exit 3"}));
    EXPECT_TRUE(becomes("again/1", "restarts", 1));
    EXPECT_TRUE(becomes("again/1", "state", "running"));
}

TEST_F(LifeTest, HealthIsShown) {
    HS_EXPECT_DONE(createSlice(
        "well", {"--nodes", "1", "--health", "test -e /well", "--health-interval", "200ms", "--health-failures", "2"}));
    EXPECT_TRUE(becomes("well/1", "health", "unhealthy"));
    HS_EXPECT_DONE(in("well/1", "touch /well"));
    EXPECT_TRUE(becomes("well/1", "health", "healthy"));
}

TEST_F(LifeTest, AFrozenSliverGoesOnWhereItWas) {
    HS_EXPECT_DONE(createSlice("still", {"--nodes", "1"}));
    HS_EXPECT_DONE(slicectl({"sliver", "freeze", "still/1"}));
    EXPECT_EQ(sliver("still/1")["state"], "frozen");
    const CommandResult refused = in("still/1", "true");
    EXPECT_NE(refused.status, 0);
    EXPECT_THAT(refused.err, HasSubstr("frozen"));
    HS_EXPECT_DONE(slicectl({"sliver", "thaw", "still/1"}));
    HS_EXPECT_DONE(in("still/1", "true"));
}

TEST_F(LifeTest, AMemoryKillIsToldWhileTheSliverRuns) {
    HS_EXPECT_DONE(createSlice("tight", {"--nodes", "1", "--memory", "32M"}));
    EXPECT_NE(in("tight/1", "dd if=/dev/zero of=/dev/null bs=64M count=1").status, 0);
    EXPECT_TRUE(eventually([&] {
        return sliver("tight/1").value("reason", "").find("out of memory: 1 process was killed") != std::string::npos;
    })) << sliver("tight/1");
    EXPECT_EQ(sliver("tight/1")["state"], "running");
}

// A limit that holds, goes with the sliver, and is refused in one line where it cannot be.
TEST_F(LifeTest, ALimitedDiskMoves) {
    HS_EXPECT_DONE(createSlice("disk", {"--on", "node1", "--disk", "32M"}));
    EXPECT_NE(in("disk/1", "dd if=/dev/zero of=/full bs=1M count=48").status, 0);
    HS_EXPECT_DONE(in("disk/1", "rm /full; echo kept > /kept"));
    HS_EXPECT_DONE(slicectl({"sliver", "move", "disk/1", "--to", "node2"}));
    EXPECT_EQ(in("disk/1", "cat /kept").out, "kept\n");
    EXPECT_NE(in("disk/1", "dd if=/dev/zero of=/full bs=1M count=48").status, 0);
    const CommandResult shrunk = slicectl({"slice", "set", "disk", "--disk", "16M"});
    EXPECT_NE(shrunk.status, 0);
    EXPECT_THAT(shrunk.err, HasSubstr("a disk can only grow"));
    EXPECT_EQ(in("disk/1", "cat /kept").out, "kept\n");
}

TEST_F(LifeTest, ADiskInMemoryTakesANewSize) {
    HS_EXPECT_DONE(createSlice("ram", {"--nodes", "1", "--disk", "16M", "--disk-medium", "memory"}));
    EXPECT_NE(in("ram/1", "dd if=/dev/zero of=/full bs=1M count=24").status, 0);
    HS_EXPECT_DONE(slicectl({"slice", "set", "ram", "--disk", "32M"}));
    HS_EXPECT_DONE(in("ram/1", "dd if=/dev/zero of=/full bs=1M count=24"));
}

TEST_F(LifeTest, ADirectoryThatTheNodeDoesNotAllowIsRefused) {
    const CommandResult refused = createSlice("host", {"--nodes", "1", "--volume", "/etc:/data"});
    EXPECT_NE(refused.status, 0);
    EXPECT_THAT(refused.err, HasSubstr("this node does not allow it"));
}

}  // namespace
}  // namespace homeslice::testing_support
