// Hosts that run no slivers, and what is known of flows afterwards.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

constexpr std::chrono::seconds kKnownWithin{20};

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
        const auto inspected = slicectlJson({"node", "inspect", "cn1"});
        const auto& bound = inspected.at("bound_addresses");
        return std::find(bound.begin(), bound.end(), address) != bound.end();
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

// An outsider complains; the administrator learns who it was.
TEST_F(CorrespondentTest, TheAuditNamesWhoSentWhat) {
    HS_EXPECT_DONE(createSlice("noisy", {"--nodes", "2"}));
    const std::string client = "fd00:51ce::cccc";
    HS_EXPECT_DONE(slicectl({"exec", "noisy/2", "--", "ping", "-c", "2", client}));
    const auto sent = std::chrono::steady_clock::now();
    const std::string address = homeAddress("noisy/2");
    const auto flows = slicectlJson({"audit", "--address", address, "--at", "1s", "--within", "20s", "--peer", client});
    ASSERT_EQ(flows.size(), 1U) << flows;
    EXPECT_LT(std::chrono::steady_clock::now() - sent, kKnownWithin);
    EXPECT_EQ(flows[0].value("sliver", ""), "noisy/2");
    EXPECT_EQ(flows[0].value("slice", ""), "noisy");
    EXPECT_EQ(flows[0].value("user", ""), slicectlJson({"slice", "show", "noisy"}).value("owner", ""));
    EXPECT_EQ(flows[0].value("protocol", ""), "icmpv6");
    EXPECT_EQ(flows[0].value("packets", 0), 2);

    // By the node's address, and after the slice has gone.
    const std::string node = sliver("noisy/2").value("node", "");
    const std::string care_of = slicectlJson({"node", "show", node}).value("care_of_address", "");
    HS_EXPECT_DONE(slicectl({"slice", "rm", "noisy"}));
    const auto later =
        slicectlJson({"audit", "flow", "--address", care_of, "--at", "1s", "--within", "1m", "--peer", client});
    ASSERT_EQ(later.size(), 1U) << later;
    EXPECT_EQ(later[0].value("sliver", ""), "noisy/2");
    EXPECT_EQ(slicectl({"audit", "--address", address, "--at", "1h"}).status, 3);
}

}  // namespace
}  // namespace homeslice::testing_support
