#include "ctl/lab/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/ipv4.h"

namespace homeslice::ctl::lab {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

Plan planOfNodes(uint32_t nodes) {
    return makePlan({.nodes = nodes}, *Ipv6Prefix::parse(kDefaultHomePrefix), "/opt/homeslice/bin");
}

std::string valueOf(const Program& program, const std::string& option) {
    for (size_t i = 0; i + 1 < program.argv.size(); ++i) {
        if (program.argv[i] == option) return program.argv[i + 1];
    }
    return "";
}

TEST(PlanTest, HasAHostForEveryMachine) {
    std::vector<std::string> names;
    for (const Host& host : planOfNodes(3).hosts) names.push_back(host.name);
    EXPECT_THAT(names, ElementsAre("ctl", "ha", "node1", "node2", "node3", "client"));
}

TEST(PlanTest, AddressesEndInTheNodesNumberInHexadecimal) {
    const Plan plan = planOfNodes(16);
    EXPECT_EQ(plan.host("node1").address.toString(), "fd00:51ce::1");
    EXPECT_EQ(plan.host("node16").address.toString(), "fd00:51ce::10");
    EXPECT_EQ(plan.host("ha").address.toString(), "fd00:51ce::a0a0");
    EXPECT_EQ(plan.host("ctl").address.toString(), "fd00:51ce::c0c0");
    EXPECT_EQ(plan.host("client").address.toString(), "fd00:51ce::cccc");
}

TEST(PlanTest, WithIpv4OnlyTheEdgesHaveIpv6) {
    const Plan plan = makePlan({.nodes = 2}, *Ipv6Prefix::parse(kDefaultHomePrefix), "/opt/homeslice/bin",
                               {.ipv4 = true, .outbound = true});
    EXPECT_EQ(valueOf(plan.programs[0], "--listen"), "10.51.192.192:7400");
    EXPECT_EQ(valueOf(plan.programs[1], "--care-of"), "10.51.160.160");
    EXPECT_EQ(valueOf(plan.programs[3], "--care-of"), "10.51.0.2");
    EXPECT_EQ(valueOf(plan.programs[3], "--controller"), "10.51.192.192:7400");
    EXPECT_THAT(plan.programs[1].argv, Not(Contains("--outbound")));
    EXPECT_THAT(plan.programs[3].argv, Contains("--outbound"));
    for (const char* inner : {"ctl", "node1", "node2"}) EXPECT_EQ(plan.host(inner).addresses.size(), 1u) << inner;
    for (const char* edge : {"ha", "client"}) EXPECT_EQ(plan.host(edge).addresses.size(), 2u) << edge;
    EXPECT_EQ(plan.home_agent_address.toString(), "fd00:51ce::a0a0");
}

TEST(PlanTest, ClientAndNodesRouteTheHomePrefix) {
    const Plan plan = planOfNodes(1);
    EXPECT_TRUE(plan.host("client").routes_home);
    EXPECT_TRUE(plan.host("node1").routes_home);
    EXPECT_FALSE(plan.host("ha").routes_home);
    EXPECT_FALSE(plan.host("ctl").routes_home);
}

TEST(PlanTest, SeveralHomeAgentsShareAnAddress) {
    const Plan plan =
        makePlan({.nodes = 1, .home_agents = 2}, *Ipv6Prefix::parse(kDefaultHomePrefix), "/opt/homeslice/bin");
    EXPECT_EQ(plan.host("ha2").address.toString(), "fd00:51ce::a0a1");
    EXPECT_EQ(plan.home_agent_address.toString(), "fd00:51ce::a000");
    EXPECT_EQ(valueOf(plan.programs[1], "--home-agent-address"), "fd00:51ce::a000");
    EXPECT_EQ(valueOf(plan.programs[2], "--home-agent-address"), "fd00:51ce::a000");
    EXPECT_NE(valueOf(plan.programs[1], "--home-agent-priority"), valueOf(plan.programs[2], "--home-agent-priority"));
    EXPECT_EQ(plan.programs[3].name, "node1");
    EXPECT_EQ(planOfNodes(1).home_agent_address, planOfNodes(1).host("ha").address);
}

TEST(PlanTest, LinkNamesFitTheKernel) {
    constexpr size_t kLongestLinkName = 15;
    for (const Host& host : planOfNodes(kMostNodes).hosts) EXPECT_LE(host.name.size(), kLongestLinkName);
}

TEST(PlanTest, TheControllerComesFirstAndIsUnprivileged) {
    const Plan plan = planOfNodes(2);
    ASSERT_EQ(plan.programs.size(), 4u);
    EXPECT_TRUE(plan.programs[0].unprivileged);
    EXPECT_THAT(plan.programs[0].argv,
                ElementsAre("/opt/homeslice/bin/sliced", "--state-dir", "/var/lib/homeslice/lab/sliced", "--listen",
                            "[fd00:51ce::c0c0]:7400", "--socket", "/run/homeslice/lab/sliced/sliced.sock",
                            "--home-prefix", "fd51:1ce::/48"));
    EXPECT_FALSE(plan.programs[1].unprivileged);
    EXPECT_THAT(plan.programs[1].argv, Contains("--home-agent"));
}

TEST(PlanTest, ANodeHasItsOwnPlaces) {
    const Plan plan = planOfNodes(2);
    const Program& node2 = plan.programs[3];
    EXPECT_THAT(node2.argv,
                IsSupersetOf({"/opt/homeslice/bin/noded", "/var/lib/homeslice/lab/node2", "/run/homeslice/lab/node2",
                              "fd00:51ce::2", "[fd00:51ce::c0c0]:7400", "homeslice-lab/node2", "eth0"}));
    EXPECT_EQ(node2.log(), "/run/homeslice/lab/node2.log");
    EXPECT_EQ(plan.host(node2.host).netns(), "hs-lab-node2");
}

TEST(PlanTest, CorrespondentsAreHostsOfTheirOwn) {
    const Plan plan =
        makePlan({.nodes = 1, .correspondents = 2}, *Ipv6Prefix::parse(kDefaultHomePrefix), "/opt/homeslice/bin");
    EXPECT_EQ(plan.host("cn2").address.toString(), "fd00:51ce::b002");
    EXPECT_TRUE(plan.host("cn2").routes_home);
    EXPECT_EQ(plan.programs.back().name, "cn2");
    EXPECT_THAT(plan.programs.back().argv, Contains("--correspondent"));
    EXPECT_THAT(plan.programs[2].argv, Not(Contains("--correspondent")));
}

TEST(PlanTest, TheLastNodesAreBehindTheNat) {
    const Plan plan = makePlan({.nodes = 3}, *Ipv6Prefix::parse(kDefaultHomePrefix), "/opt/homeslice/bin",
                               {.ipv4 = true, .behind_nat = 1});
    EXPECT_EQ(addressText(plan.host(kNat).address), "10.51.208.208");
    EXPECT_FALSE(plan.host("node2").behind_nat);
    EXPECT_TRUE(plan.host("node3").behind_nat);
    EXPECT_EQ(addressText(plan.host("node3").address), "10.52.1.3");
    EXPECT_THAT(plan.programs.back().argv, IsSupersetOf({"--behind-nat", "10.52.1.3"}));
    EXPECT_THAT(plan.programs[3].argv, Not(Contains("--behind-nat")));
}

TEST(PlanTest, NodesShareNoUserIds) {
    const Plan plan = planOfNodes(kMostNodes);
    uint64_t free_from = 0;
    for (const Program& program : plan.programs) {
        if (valueOf(program, "--first-id").empty()) continue;
        const uint64_t first = std::stoull(valueOf(program, "--first-id"));
        EXPECT_GE(first, free_from);
        free_from = first + std::stoull(valueOf(program, "--id-ranges")) * 65536;
    }
    EXPECT_LT(free_from, uint64_t{1} << 32);
}

TEST(HomePrefixTest, TakesPrefixesWithRoomForSlices) {
    EXPECT_TRUE(parseHomePrefix("--home-prefix", "fd51:1ce::/48").ok());
    EXPECT_TRUE(parseHomePrefix("--home-prefix", "2001:db8::/32").ok());
}

TEST(HomePrefixTest, RefusesOthersInOneLineThatNamesTheOption) {
    for (const char* text : {"", "fd51::", "fd51::1/48", "fd51::/64", "::/0", "fd00:51ce::/48", "ff00::/16",
                             "fe80::/16", "fd51::/-1", "10.0.0.0/8"}) {
        const absl::StatusOr<Ipv6Prefix> prefix = parseHomePrefix("--home-prefix", text);
        ASSERT_FALSE(prefix.ok()) << text;
        EXPECT_EQ(prefix.status().code(), absl::StatusCode::kInvalidArgument) << text;
        const std::string message(prefix.status().message().data(), prefix.status().message().size());
        EXPECT_THAT(message, HasSubstr("--home-prefix")) << text;
        EXPECT_EQ(message.find('\n'), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace homeslice::ctl::lab
