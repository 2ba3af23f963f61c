#include "noded/api/flow_service.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/status.h"

namespace homeslice::api {
namespace {

std::string raw(const std::string& text) { return Ipv6Address::parse(text).value().toBytes(); }

v1::FindFlowsRequest request() {
    v1::FindFlowsRequest message;
    message.set_address(raw("fd51:1ce:0:1::1:2"));
    message.set_from_us(1000);
    message.set_until_us(2000);
    message.set_peer(raw("2001:db8::7"));
    message.set_port(4000);
    message.set_peer_port(22);
    return message;
}

TEST(FlowService, QuestionsAreReadInFull) {
    const auto question = flowQuestionOf(request());
    ASSERT_TRUE(question.ok()) << messageOf(question.status());
    EXPECT_EQ(question->address->toString(), "fd51:1ce:0:1::1:2");
    EXPECT_EQ(question->peer->toString(), "2001:db8::7");
    EXPECT_EQ(question->from_us, 1000);
    EXPECT_EQ(question->until_us, 2000);
    EXPECT_EQ(question->port, 4000);
    EXPECT_EQ(question->peer_port, 22);
    EXPECT_EQ(question->most, 1000U);
}

TEST(FlowService, MalformedQuestionsAreRefused) {
    const std::vector<std::pair<std::string, std::function<void(v1::FindFlowsRequest&)>>> changes{
        {"a short address", [](auto& message) { message.set_address("fd51"); }},
        {"a long peer", [](auto& message) { message.set_peer(std::string(17, 'x')); }},
        {"no time", [](auto& message) { message.clear_until_us(); }},
        {"a negative time", [](auto& message) { message.set_from_us(-1); }},
        {"an end before the beginning", [](auto& message) { message.set_from_us(3000); }},
        {"a great port", [](auto& message) { message.set_port(65536); }},
        {"a great peer port", [](auto& message) { message.set_peer_port(1U << 31); }},
        {"too much", [](auto& message) { message.set_most(10'001); }},
    };
    for (const auto& [what, change] : changes) {
        v1::FindFlowsRequest message = request();
        change(message);
        EXPECT_EQ(flowQuestionOf(message).status().code(), absl::StatusCode::kInvalidArgument) << what;
    }
}

TEST(FlowService, ManyFlowsTogetherHaveNoEnds) {
    audit::Flow flow;
    flow.owner = {.sliver = {"web", 2}, .user = "alice"};
    flow.packets = 5;
    const v1::Flow message = toMessage(flow);
    EXPECT_EQ(message.slice(), "web");
    EXPECT_EQ(message.index(), 2U);
    EXPECT_EQ(message.destination(), "");
    EXPECT_EQ(message.source(), "");
    EXPECT_EQ(message.packets(), 5U);
}

}  // namespace
}  // namespace homeslice::api
