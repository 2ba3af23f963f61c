// Bad input gets one line that says what and why, a fitting exit status, and leaves nothing behind.
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

struct Bad {
    std::vector<std::string> arguments;
    int status;
    std::string says;
};

class BadInputTest : public LabTest {
protected:
    void expectRefused(const Bad& bad) {
        std::string shown = "slicectl";
        for (const std::string& word : bad.arguments) shown += " '" + word + "'";
        SCOPED_TRACE(shown);
        const CommandResult result = slicectl(bad.arguments);
        EXPECT_EQ(result.status, bad.status);
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(linesOf(result.err).size(), 1U) << result.err;
        EXPECT_THAT(result.err, HasSubstr(bad.says));
    }
};

std::vector<std::string> create(const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"slice", "create"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
}

TEST_F(BadInputTest, IsRefusedInOneLine) {
    HS_EXPECT_DONE(createSlice("taken", {"--nodes", "1"}));
    const HostSnapshot before = takeHostSnapshot();
    const std::vector<Bad> cases{
        {create({"Bad_Name", "--image", "busybox", "--nodes", "1"}), 1, "Bad_Name"},
        {create({"../x", "--image", "busybox", "--nodes", "1"}), 1, "../x"},
        {create({"taken", "--image", "busybox", "--nodes", "1"}), 4, "taken"},
        {create({"s", "--image", "nothing", "--nodes", "1"}), 3, "nothing"},
        {create({"s", "--image", "busybox", "--on", "nowhere"}), 3, "nowhere"},
        {create({"s", "--image", "busybox", "--on", "ha"}), 4, "ha"},
        {create({"s", "--image", "busybox", "--nodes", "4"}), 2, "4"},
        {create({"s", "--image", "busybox", "--nodes", "0"}), 1, "--nodes"},
        {create({"s", "--image", "busybox", "--nodes", "-1"}), 1, "-1"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--memory", "-1"}), 1, "--memory"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--memory", "lots"}), 1, "lots"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--memory", "99999999999999G"}), 1, "--memory"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--pids", "-1"}), 1, "--pids"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--cpus", "0"}), 1, "--cpus"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--cpus", "-0.5"}), 1, "--cpus"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--lease", "-1d"}), 1, "--lease"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--expose", "70000/tcp"}), 1, "70000"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--expose", "80/ip"}), 1, "80/ip"},
        {create({"s", "--image", "busybox", "--nodes", "3", "--slivers", "2"}), 1, "2"},
        {create({"s", "--image", "busybox", "--nodes", "1", "--on", "node1"}), 1, "--on"},
        {create({"s", "--image", "busybox"}), 1, "--nodes"},
        {create({"s", "--nodes", "1"}), 1, "--image"},
        {{"slice", "rm", "nothing"}, 3, "nothing"},
        {{"slice", "renew", "nothing"}, 3, "nothing"},
        {{"sliver", "show", "taken/9"}, 3, "taken/9"},
        {{"sliver", "show", "taken/x"}, 1, "taken/x"},
        {{"node", "show", "nowhere"}, 3, "nowhere"},
        {{"image", "rm", "nothing"}, 3, "nothing"},
        {{"image", "rm", "busybox"}, 4, "in use"},
        {{"image", "import", "/etc/passwd"}, 1, "/etc/passwd"},
        {{"image", "import", "/nothing/there"}, 3, "/nothing/there"},
        {{"image", "build", "nothing"}, 3, "nothing"},
        {{"exec", "nothing", "--", "true"}, 3, "nothing"},
        {{"exec", "taken"}, 1, "--"},
        {{"logs", "taken/9"}, 3, "taken/9"},
        {{"lab", "up"}, 4, "lab"},
        {{"lab", "node", "nowhere", "--", "true"}, 3, "nowhere"},
        {{"no-such-noun"}, 1, "no-such-noun"},
    };
    for (const Bad& bad : cases) expectRefused(bad);
    EXPECT_EQ(awaitNoLeftovers(before), "");
    EXPECT_EQ(slicectlJson({"slice", "ls"}).size(), 1U);
    EXPECT_EQ(sliver("taken/1").value("state", ""), "running");
}

// sliced in the place of node1, with a state directory of its own.
CommandResult secondSliced(std::vector<std::string> arguments) {
    std::vector<std::string> argv{"lab",
                                  "node",
                                  "node1",
                                  "--",
                                  std::string(HS_BIN_DIRECTORY) + "/sliced",
                                  "--state-dir",
                                  "/tmp/hst-second-sliced"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return slicectl(argv);
}

TEST_F(BadInputTest, WithoutAnAuthorityNothingIsServed) {
    const CommandResult second = secondSliced({"--listen", "[fd00:51ce::1]:7499", "--home-prefix", "fd51:1ce::/48"});
    EXPECT_EQ(second.status, 1);
    EXPECT_EQ(linesOf(second.err).size(), 1U) << second.err;
    EXPECT_THAT(second.err, HasSubstr("run `sliced init` first"));
    EXPECT_FALSE(std::filesystem::exists("/tmp/hst-second-sliced"));
}

TEST_F(BadInputTest, APortInUseStopsAProgramWithOneLine) {
    HS_EXPECT_DONE(secondSliced({"init"}));
    const CommandResult second = secondSliced({"--listen", "[fd00:51ce::1]:7401", "--home-prefix", "fd51:1ce::/48"});
    EXPECT_EQ(second.status, 1);
    EXPECT_EQ(linesOf(second.err).size(), 1U) << second.err;
    EXPECT_THAT(second.err, HasSubstr("7401"));
    const CommandResult again = secondSliced({"init"});
    EXPECT_EQ(again.status, 1);
    EXPECT_THAT(again.err, HasSubstr("already"));
    std::filesystem::remove_all("/tmp/hst-second-sliced");
}

TEST_F(BadInputTest, WithoutALabSaysSo) {
    const CommandResult result = slicectl({"--controller", "unix:/nothing/there", "node", "ls"});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(linesOf(result.err).size(), 1U) << result.err;
    EXPECT_THAT(result.err, HasSubstr("slicectl lab up"));
}

}  // namespace
}  // namespace homeslice::testing_support
