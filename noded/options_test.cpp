#include "noded/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/status.h"

namespace homeslice {
namespace {

using Arguments = std::vector<std::string>;

Arguments with(const Arguments& more) {
    Arguments all = {"--name", "node1",    "--state-dir", "/var/lib/x",   "--run-dir",
                     "/run/x", "--uplink", "eth0",        "--controller", "[fd00::1]:7400"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

TEST(Options, DefaultsFollowTheName) {
    const auto line = parseCommandLine(with({}));
    ASSERT_TRUE(line.ok()) << line.status();
    const NodedOptions& options = line->options;
    EXPECT_EQ(options.name, "node1");
    EXPECT_EQ(options.cgroup_parent, "homeslice/node1");
    EXPECT_EQ(options.api_port, 7401);
    EXPECT_FALSE(options.care_of_address.has_value());
    EXPECT_FALSE(options.home_agent);
    EXPECT_EQ(options.log_level, LogLevel::info);
}

TEST(Options, JoinTakesTheNodesOwnFile) {
    const std::string path = testing::TempDir() + "noded-join-" + std::to_string(getpid());
    ASSERT_TRUE(
        replaceFile(
            path, "name = \"node2\"\nstate-dir = \"/s\"\nuplink = \"eth1\"\ncontroller = \"ctl:7400,[fd00::1]:7400\"\n")
            .ok());
    const auto line = parseCommandLine({"join", "--config", path, "--token", "x"});
    unlink(path.c_str());
    ASSERT_TRUE(line.ok()) << line.status();
    ASSERT_TRUE(line->join.has_value());
    EXPECT_EQ(line->join->name, "node2");
    EXPECT_EQ(line->join->state_directory, "/s");
    EXPECT_EQ(line->join->controller, "ctl:7400,[fd00::1]:7400");
    EXPECT_EQ(line->join->token, "x");
    EXPECT_FALSE(parseCommandLine({"join", "--token", "x"}).ok());
    EXPECT_FALSE(parseCommandLine(with({}))->join.has_value());
}

TEST(Options, WhereNamesAreAnsweredAndForwarded) {
    const auto line = parseCommandLine(
        with({"--dns", "[fd00::1]:53", "--name-server", "192.0.2.53", "--name-server", "2001:db8::53"}));
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->options.dns->address.toString(), "fd00::1");
    EXPECT_EQ(line->options.dns->port, 53);
    EXPECT_TRUE(line->options.forwards_names);
    EXPECT_EQ(line->options.name_servers, (std::vector<std::string>{"192.0.2.53", "2001:db8::53"}));
    const auto ipv4 = parseCommandLine(with({"--dns", "192.0.2.1:5353", "--name-server", "none"}));
    ASSERT_TRUE(ipv4.ok()) << ipv4.status();
    EXPECT_EQ(ipv4->options.dns->address, Ipv6Address::parse("::ffff:192.0.2.1").value());
    EXPECT_FALSE(ipv4->options.forwards_names);
    for (const char* bad : {"53", ":53", "fd00::1", "fd00::1:53", "[fd00::1]", "[fd00::1]:0", "[fd00::1]:65536",
                            "[x]:53", "[fd00::1]:53x", "["})
        EXPECT_FALSE(parseCommandLine(with({"--dns", bad})).ok()) << bad;
    for (const char* bad : {"ns.example", "", "192.0.2"})
        EXPECT_FALSE(parseCommandLine(with({"--name-server", bad})).ok()) << bad;
}

TEST(Options, HowLongFlowsAreKept) {
    EXPECT_EQ(parseCommandLine(with({}))->options.keep_flows, std::chrono::hours(168));
    EXPECT_EQ(parseCommandLine(with({"--keep-flows", "90s"}))->options.keep_flows, std::chrono::seconds(90));
    EXPECT_EQ(parseCommandLine(with({"--keep-flows", "2d"}))->options.keep_flows, std::chrono::hours(48));
    for (const char* bad : {"", "7", "d", "0d", "-1d", "7w", "1.5h", "9999999999s", "100000d"})
        EXPECT_FALSE(parseCommandLine(with({"--keep-flows", bad})).ok()) << bad;
}

TEST(Options, ACorrespondentIsNoHomeAgent) {
    EXPECT_TRUE(parseCommandLine(with({"--correspondent"}))->options.correspondent);
    EXPECT_TRUE(parseCommandLine(with({"--behind-nat"}))->options.behind_nat);
    EXPECT_FALSE(parseCommandLine(with({"--behind-nat", "--correspondent"})).ok());
    EXPECT_FALSE(parseCommandLine(with({"--behind-nat", "--home-agent"})).ok());
    EXPECT_FALSE(parseCommandLine(with({"--correspondent", "--home-agent"})).ok());
}

TEST(Options, TakesAll) {
    const auto line =
        parseCommandLine(with({"--care-of", "fd00:51ce::1", "--api-port", "7500", "--home-agent", "--cgroup-parent",
                               "homeslice-lab/node1", "--first-id", "100000000", "--id-ranges", "1000", "--log-level",
                               "debug", "--volume", "/srv/a", "--volume", "/srv/b"}));
    ASSERT_TRUE(line.ok()) << line.status();
    const NodedOptions& options = line->options;
    EXPECT_EQ(options.volumes, (std::vector<std::string>{"/srv/a", "/srv/b"}));
    EXPECT_FALSE(parseCommandLine(with({"--volume", "srv"})).ok());
    EXPECT_EQ(options.care_of_address->toString(), "fd00:51ce::1");
    EXPECT_EQ(options.api_port, 7500);
    EXPECT_TRUE(options.home_agent);
    EXPECT_EQ(options.cgroup_parent, "homeslice-lab/node1");
    EXPECT_EQ(options.first_id, 100'000'000U);
    EXPECT_EQ(options.id_ranges, 1000U);
    EXPECT_EQ(options.log_level, LogLevel::debug);
}

TEST(Options, PriorityOfTheCareOfAddress) {
    EXPECT_EQ(parseCommandLine(with({}))->options.care_of_priority, 64U);
    EXPECT_EQ(parseCommandLine(with({"--care-of-priority", "127"}))->options.care_of_priority, 127U);
    EXPECT_FALSE(parseCommandLine(with({"--care-of-priority", "0"})).ok());
    EXPECT_FALSE(parseCommandLine(with({"--care-of-priority", "128"})).ok());
}

TEST(Options, OneOfSeveralHomeAgents) {
    const auto line = parseCommandLine(with({"--home-agent", "--home-agent-address", "fd00::a", "--home-agent-priority",
                                             "200", "--advertisement-interval", "100"}));
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->options.home_agent_address->toString(), "fd00::a");
    EXPECT_EQ(line->options.home_agent_priority, 200U);
    EXPECT_EQ(line->options.advertisement_interval_ms, 100U);
    EXPECT_TRUE(parseCommandLine(with({"--home-agent", "--active-active"})).ok());
    EXPECT_TRUE(parseCommandLine(with({"--home-agent", "--on-link"}))->options.on_link);
    EXPECT_FALSE(parseCommandLine(with({"--on-link"})).ok()) << "no home agent";
    EXPECT_FALSE(parseCommandLine(with({"--active-active"})).ok()) << "no home agent";
    EXPECT_FALSE(parseCommandLine(with({"--home-agent-address", "fd00::a"})).ok()) << "no home agent";
    EXPECT_FALSE(parseCommandLine(with({"--home-agent", "--active-active", "--home-agent-address", "fd00::a"})).ok());
    EXPECT_FALSE(parseCommandLine(with({"--home-agent", "--active-active", "--on-link"})).ok());
    EXPECT_FALSE(parseCommandLine(with({"--home-agent", "--home-agent-address", "10.0.0.1"})).ok());
    EXPECT_FALSE(parseCommandLine(with({"--home-agent", "--home-agent-priority", "255"})).ok());
}

TEST(Options, WaysOutOfSlivers) {
    const auto line = parseCommandLine(with({"--care-of", "192.0.2.1", "--reverse-tunnel", "--outbound"}));
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->options.care_of_address->toString(), "::ffff:192.0.2.1");
    EXPECT_TRUE(line->options.reverse_tunnel);
    EXPECT_TRUE(line->options.outbound);
    EXPECT_FALSE(parseCommandLine(with({"--home-agent", "--outbound"})).ok()) << "no slivers";
    EXPECT_FALSE(parseCommandLine(with({"--home-agent", "--reverse-tunnel"})).ok()) << "no slivers";
}

TEST(Options, ReadsAFileAndPrefersTheCommandLine) {
    const std::string path = testing::TempDir() + "noded-options-" + std::to_string(getpid());
    ASSERT_TRUE(replaceFile(path,
                            "name = \"node2\"\nstate-dir = \"/s\"\nrun-dir = \"/r\"\nuplink = \"eth1\"\n"
                            "controller = \"ctl:7400\"\nhome-agent = true\napi-port = 7402\n")
                    .ok());
    const auto line = parseCommandLine({"--config", path, "--api-port", "7403"});
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->options.name, "node2");
    EXPECT_EQ(line->options.uplink, "eth1");
    EXPECT_TRUE(line->options.home_agent);
    EXPECT_EQ(line->options.api_port, 7403);
    unlink(path.c_str());
}

TEST(Options, RefusesInOneLineThatNamesTheOption) {
    const std::vector<std::pair<Arguments, std::string>> cases = {
        {{}, "--"},
        {with({"--care-of", "10.0.0.256"}), "--care-of"},
        {with({"--api-port", "0"}), "--api-port"},
        {with({"--api-port", "65536"}), "--api-port"},
        {with({"--first-id", "1000"}), "--first-id"},
        {with({"--first-id", "4294901760", "--id-ranges", "1"}), "--id-ranges"},
        {with({"--id-ranges", "0"}), "--id-ranges"},
        {with({"--id-ranges", "-1"}), "--id-ranges"},
        {with({"--cgroup-parent", "../escape"}), "--cgroup-parent"},
        {with({"--cgroup-parent", "/abs"}), "--cgroup-parent"},
        {with({"--log-level", "loud"}), "--log-level"},
        {with({"--config", "/does/not/exist"}), "/does/not/exist"},
        {with({"--bogus"}), "--bogus"},
    };
    for (const auto& [arguments, expected] : cases) {
        const auto line = parseCommandLine(arguments);
        ASSERT_FALSE(line.ok()) << expected;
        EXPECT_THAT(messageOf(line.status()), testing::HasSubstr(expected));
        EXPECT_THAT(messageOf(line.status()), testing::Not(testing::HasSubstr("\n")));
    }
}

TEST(Options, RefusesOddNamesPathsLinksAndControllers) {
    const auto changed = [](const std::string& option, const std::string& value) {
        Arguments arguments = with({});
        *(std::find(arguments.begin(), arguments.end(), option) + 1) = value;
        return parseCommandLine(arguments).status();
    };
    EXPECT_FALSE(changed("--name", "Node_1").ok());
    EXPECT_FALSE(changed("--state-dir", "relative").ok());
    EXPECT_FALSE(changed("--run-dir", "relative").ok());
    EXPECT_FALSE(changed("--uplink", "a-name-too-long-for-it").ok());
    EXPECT_FALSE(changed("--uplink", "eth/0").ok());
    for (const char* bad : {"host", ":7400", "host:", "host:0", "host:65536", "host:74x", "host:-1"}) {
        EXPECT_FALSE(changed("--controller", bad).ok()) << bad;
    }
    EXPECT_TRUE(changed("--controller", "host:7400").ok());
    EXPECT_TRUE(changed("--controller", "host:7400,[fd00::1]:7400").ok());
    for (const char* bad : {"host:7400,", ",host:7400", "host:7400,host", "host:7400,,host:7401"}) {
        EXPECT_FALSE(changed("--controller", bad).ok()) << bad;
    }
}

TEST(Options, Help) {
    const auto line = parseCommandLine({"--help"});
    ASSERT_TRUE(line.ok());
    EXPECT_THAT(line->help, testing::HasSubstr("--home-agent"));
}

}  // namespace
}  // namespace homeslice
