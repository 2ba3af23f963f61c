// `slicectl audit` about flows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/ipv6.h"
#include "ctl/commands/fake_controller.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

const std::string kHome = "fd51:1ce:0:1::1:2";

class AuditFlow : public ::testing::Test {
protected:
    Outcome run(const std::vector<std::string>& arguments) { return slicectl(controller_, arguments); }
    v1::Flow& addFlow() {
        v1::NodeFlows& node = *controller_.flow_report.add_nodes();
        node.set_node("node1");
        v1::Flow& flow = *node.add_flows();
        flow.set_slice("web");
        flow.set_index(2);
        flow.set_user("alice");
        flow.set_protocol(6);
        flow.set_home_address(Ipv6Address::parse(kHome)->toBytes());
        flow.set_source(Ipv6Address::parse(kHome)->toBytes());
        flow.set_source_port(40000);
        flow.set_destination(Ipv6Address::parse("2001:db8::7")->toBytes());
        flow.set_destination_port(22);
        flow.set_packets(3);
        return flow;
    }

    FakeController controller_;
};

TEST_F(AuditFlow, NamesSliverSliceAndUserWithOrWithoutTheNoun) {
    addFlow();
    for (const std::vector<std::string>& command : {std::vector<std::string>{"audit"}, {"audit", "flow"}}) {
        std::vector<std::string> arguments = command;
        arguments.insert(arguments.end(), {"--address", kHome, "--at", "2026-01-02T03:04:05Z", "-o", "json"});
        const Outcome found = run(arguments);
        EXPECT_EQ(found.exit_status, 0) << found.err;
        const auto row = nlohmann::json::parse(found.out).at(0);
        EXPECT_EQ(row.at("sliver"), "web/2");
        EXPECT_EQ(row.at("slice"), "web");
        EXPECT_EQ(row.at("user"), "alice");
        EXPECT_EQ(row.at("node"), "node1");
        EXPECT_EQ(row.at("from"), "[fd51:1ce:0:1::1:2]:40000");
        EXPECT_EQ(row.at("to"), "[2001:db8::7]:22");
    }
    EXPECT_EQ(controller_.flows.address(), Ipv6Address::parse(kHome)->toBytes());
    EXPECT_EQ(controller_.flows.until_us() - controller_.flows.from_us(), 20'000'000);
}

TEST_F(AuditFlow, TheQuestionIsPassedOnInFull) {
    addFlow();
    EXPECT_EQ(run({"audit", "flow", "--address", "fd00::1", "--at", "10m", "--within", "1m", "--peer", "192.0.2.7",
                   "--port", "4000", "--peer-port", "53", "--most", "5"})
                  .exit_status,
              0);
    const v1::FindFlowsRequest& request = controller_.flows;
    EXPECT_EQ(request.peer(), Ipv6Address::parse("::ffff:192.0.2.7")->toBytes());
    EXPECT_EQ(request.port(), 4000U);
    EXPECT_EQ(request.peer_port(), 53U);
    EXPECT_EQ(request.most(), 5U);
    EXPECT_EQ(request.until_us() - request.from_us(), 120'000'000);
    EXPECT_LT(request.until_us(), toUnixMicros(Utc::now()));
}

TEST_F(AuditFlow, WhatIsNotKnownIsSaid) {
    EXPECT_EQ(run({"audit", "--address", kHome, "--at", "1m"}).exit_status, 3) << "nothing found";
    addFlow().clear_destination();
    controller_.flow_report.add_not_asked("node2: silent for 9 s");
    controller_.flow_report.mutable_nodes(0)->set_truncated(true);
    const Outcome partial = run({"audit", "--address", kHome, "--at", "1m"});
    EXPECT_EQ(partial.exit_status, 2);
    EXPECT_THAT(partial.err, HasSubstr("not asked: node2: silent for 9 s"));
    EXPECT_THAT(partial.err, HasSubstr("node1 has more"));
    EXPECT_THAT(partial.out, HasSubstr("many"));
}

TEST_F(AuditFlow, BadInputIsRefusedInOneLine) {
    EXPECT_THAT(run({"audit"}).err, HasSubstr("--address and --at are needed"));
    EXPECT_THAT(run({"audit", "--address", "web", "--at", "1m"}).err, HasSubstr("--address"));
    EXPECT_THAT(run({"audit", "--address", kHome, "--at", "noon"}).err, HasSubstr("--at"));
    EXPECT_THAT(run({"audit", "--address", kHome, "--at", "1m", "--port", "70000"}).err, HasSubstr("--port"));
    EXPECT_THAT(run({"audit", "--address", kHome, "--at", "1m", "--within", "x"}).err, HasSubstr("--within"));
    EXPECT_EQ(controller_.flows.address(), "");
}

}  // namespace
}  // namespace homeslice::ctl
