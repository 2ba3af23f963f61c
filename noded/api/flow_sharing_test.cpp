// What home agents tell each other of flows, over real gRPC.
#include "noded/api/flow_sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeslice/v1/binding.grpc.pb.h"
#include "noded/api/binding_convert.h"
#include "noded/api/server.h"
#include "noded/api/test_fakes.h"
#include "noded/api/test_pki.h"

namespace homeslice::api {
namespace {

using mobility::ChosenFlow;

const Ipv6Address kLoopback = Ipv6Address::parse("::1").value();
const Ipv6Address kElsewhere = Ipv6Address::parse("fd00:51ce::a0a1").value();

ChosenFlow flowFrom(uint16_t port) {
    return {.source = Ipv6Address::parse("2001:db8::1").value(),
            .destination = Ipv6Address::parse("fd51:1ce:0:1::1").value(),
            .source_port = port,
            .destination_port = 80,
            .protocol = 6,
            .binding_id = 2};
}

class FlowSharing : public testing::Test {
protected:
    void SetUp() override {
        auto server =
            Server::start({.address = kLoopback, .credentials = pki_.node1}, {.manager = manager_,
                                                                              .forwarder = told_,
                                                                              .home_agent = &home_agent_,
                                                                              .peers = pki_.peers,
                                                                              .grants = pki_.grants,
                                                                              .inspect = [] { return "{}"; }});
        ASSERT_TRUE(server.ok()) << server.status();
        server_ = std::move(*server);
    }
    mobility::HomeAgentAddress other() const { return {.address = kLoopback, .api_port = server_->port()}; }
    size_t heard() {
        size_t count = 0;
        hearing_.seen.change([&] { count = hearing_.heard_flows.size(); });
        return count;
    }

    TestPki pki_;
    FakeManager manager_;
    FakeForwarder told_;
    FakeForwarder hearing_;
    FakeHomeAgent home_agent_;
    std::unique_ptr<Server> server_;
};

TEST_F(FlowSharing, WhatIsRememberedThenWhatBegins) {
    for (uint16_t port = 1; port <= 3000; ++port) told_.remembered_flows.push_back(flowFrom(port));
    FlowFollowers followers(pki_.node1, kElsewhere, hearing_);
    followers.setHomeAgents({other(), {.address = kElsewhere, .api_port = 1}});
    ASSERT_TRUE(hearing_.seen.wait([&] { return hearing_.heard_flows.size() == 3000; }));
    EXPECT_EQ(hearing_.heard_flows.front(), std::pair(flowFrom(1), true));
    EXPECT_EQ(hearing_.heard_flows.back(), std::pair(flowFrom(3000), true));

    home_agent_.flow_news.tell({flowFrom(4000), flowFrom(4001)});
    ASSERT_TRUE(hearing_.seen.wait([&] { return hearing_.heard_flows.size() == 3002; }));
    EXPECT_EQ(hearing_.heard_flows.back(), std::pair(flowFrom(4001), false));

    followers.setHomeAgents({});
    home_agent_.flow_news.tell({flowFrom(5000)});
    EXPECT_EQ(heard(), 3002U);
}

TEST_F(FlowSharing, OneThatReturnsIsFollowedAgain) {
    told_.remembered_flows = {flowFrom(1)};
    FlowFollowers followers(pki_.node1, kElsewhere, hearing_);
    followers.setHomeAgents({other()});
    ASSERT_TRUE(hearing_.seen.wait([&] { return hearing_.heard_flows.size() == 1; }));
    const uint16_t port = server_->port();
    server_.reset();
    auto again = Server::start({.address = kLoopback, .port = port, .credentials = pki_.node1},
                               {.manager = manager_,
                                .forwarder = told_,
                                .home_agent = &home_agent_,
                                .peers = pki_.peers,
                                .grants = pki_.grants,
                                .inspect = [] { return "{}"; }});
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(hearing_.seen.wait([&] { return hearing_.heard_flows.size() == 2; }));
}

TEST_F(FlowSharing, OnlyHomeAgentsHearWhoTalksToWhom) {
    told_.remembered_flows = {flowFrom(1)};
    for (const auto& [credentials, what] :
         {std::pair(pki_.node2, "a node"), std::pair(pki_.controller, "controller")}) {
        const auto stub =
            v1::BindingService::NewStub(pki_.channelTo(targetOf(kLoopback, server_->port()), *credentials));
        grpc::ClientContext context;
        const auto reader = stub->WatchFlows(&context, v1::WatchFlowsRequest());
        v1::FlowBatch batch;
        EXPECT_FALSE(reader->Read(&batch)) << what;
        EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED) << what;
    }
}

TEST_F(FlowSharing, MalformedFlowsAreRefused) {
    v1::FlowBatch batch;
    *batch.add_flows() = toMessage(flowFrom(1));
    EXPECT_THAT(flowsOf(batch).value(), testing::ElementsAre(flowFrom(1)));
    batch.mutable_flows(0)->set_source("short");
    EXPECT_FALSE(flowsOf(batch).ok());
    *batch.mutable_flows(0) = toMessage(flowFrom(1));
    batch.mutable_flows(0)->set_source_port(1U << 16);
    EXPECT_FALSE(flowsOf(batch).ok());
    batch.mutable_flows(0)->set_source_port(1);
    batch.mutable_flows(0)->set_protocol(256);
    EXPECT_FALSE(flowsOf(batch).ok());
    batch.Clear();
    for (int i = 0; i <= kMostFlows; ++i) *batch.add_flows() = toMessage(flowFrom(1));
    EXPECT_FALSE(flowsOf(batch).ok());
}

}  // namespace
}  // namespace homeslice::api
