// Hosts that run no slivers.
#include <gmock/gmock.h>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

CommandResult onHost(const std::string& host, std::vector<std::string> argv) {
    argv.insert(argv.begin(), {"ip", "netns", "exec", "hs-lab-" + host});
    return runCommand(argv);
}

std::string fetchFrom(const std::string& host, const std::string& address) {
    return onHost(host, {"curl", "-gs", "--max-time", "10", "http://[" + address + "]/"}).out;
}

class CorrespondentTest : public LabTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "2", "--correspondents", "1"}); }

    // By the home agent, for a sliver's address.
    static int64_t forwarded(const std::string& address) {
        for (const auto& binding : slicectlJson({"home", "ls"})) {
            if (binding.value("home_address", "") == address) return binding.value("forwarded_packets", int64_t{-1});
        }
        return -1;
    }
    static bool knowsPath(const std::string& address) {
        for (const auto& bound : slicectlJson({"node", "inspect", "cn1"}).at("bound_addresses")) {
            if (bound == address) return true;
        }
        return false;
    }
};

TEST_F(CorrespondentTest, ReachesSliversPastTheHomeAgentAlsoAfterAMove) {
    createWebSlice("web", {"--on", "node1"});
    const std::string address = homeAddress("web/1");
    ASSERT_TRUE(eventually([&] { return knowsPath(address); }));
    const int64_t before = forwarded(address);
    EXPECT_THAT(fetchFrom("cn1", address), HasSubstr("web-1"));
    EXPECT_EQ(forwarded(address), before) << "the correspondent's packets went through the home agent";
    EXPECT_NE(fetch(address), "");
    EXPECT_GT(forwarded(address), before) << "the plain client's do, and are counted";

    HS_EXPECT_DONE(slicectl({"sliver", "move", "web/1", "--to", "node2"}));
    ASSERT_TRUE(eventually([&] { return !fetchFrom("cn1", address).empty(); }));
    const int64_t after = forwarded(address);
    EXPECT_THAT(fetchFrom("cn1", address), HasSubstr("web-1"));
    EXPECT_EQ(forwarded(address), after);
}

TEST_F(CorrespondentTest, TakesNoSlivers) {
    EXPECT_NE(slicectl({"slice", "create", "x", "--image", "busybox", "--on", "cn1"}).status, 0);
    EXPECT_TRUE(slicectlJson({"node", "show", "cn1"}).value("correspondent", false));
    HS_EXPECT_DONE(createSlice("all", {"--all-nodes"}));
    EXPECT_EQ(slicectlJson({"sliver", "ls", "all"}).size(), 2U);
}

}  // namespace
}  // namespace homeslice::testing_support
