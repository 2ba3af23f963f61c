#include "noded/api/flow_service.h"

#include <limits>

#include "base/status.h"
#include "noded/api/grpc_status.h"

namespace homeslice::api {
namespace {

constexpr uint32_t kUsualAnswer = 1000;
constexpr uint32_t kLongestAnswer = 10'000;

absl::StatusOr<uint16_t> portOf(const std::string& what, uint32_t port) {
    if (port <= std::numeric_limits<uint16_t>::max()) return static_cast<uint16_t>(port);
    return invalidArgument(what + ": " + std::to_string(port) + " is no port");
}

}  // namespace

absl::StatusOr<audit::FlowQuestion> flowQuestionOf(const v1::FindFlowsRequest& message) {
    audit::FlowQuestion question;
    if (!message.address().empty()) {
        HS_ASSIGN_OR_RETURN_CTX(question.address, Ipv6Address::fromBytes(message.address()), "address");
    }
    if (!message.peer().empty()) {
        HS_ASSIGN_OR_RETURN_CTX(question.peer, Ipv6Address::fromBytes(message.peer()), "peer");
    }
    if (message.from_us() < 0 || message.until_us() <= 0 || message.from_us() > message.until_us()) {
        return invalidArgument("from, until: not a span of time");
    }
    question.from_us = message.from_us();
    question.until_us = message.until_us();
    HS_ASSIGN_OR_RETURN(question.port, portOf("port", message.port()));
    HS_ASSIGN_OR_RETURN(question.peer_port, portOf("peer port", message.peer_port()));
    if (message.most() > kLongestAnswer) return invalidArgument("most: more than " + std::to_string(kLongestAnswer));
    question.most = message.most() == 0 ? kUsualAnswer : message.most();
    return question;
}

v1::Flow toMessage(const audit::Flow& flow) {
    v1::Flow message;
    message.set_slice(flow.owner.sliver.slice);
    message.set_index(flow.owner.sliver.index);
    message.set_user(flow.owner.user);
    message.set_home_address(flow.home_address.toBytes());
    message.set_protocol(flow.protocol);
    message.set_source_port(flow.source_port);
    message.set_destination_port(flow.destination_port);
    if (!flow.source.isUnspecified()) message.set_source(flow.source.toBytes());
    if (!flow.destination.isUnspecified()) message.set_destination(flow.destination.toBytes());
    message.set_first_us(flow.first_us);
    message.set_last_us(flow.last_us);
    message.set_packets(flow.packets);
    message.set_bytes(flow.bytes);
    return message;
}

grpc::ServerUnaryReactor* FlowService::FindFlows(grpc::CallbackServerContext* context,
                                                 const v1::FindFlowsRequest* request, v1::FindFlowsResponse* response) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const bool taken =
        workers_.tryRun([this, reactor, request, response] { reactor->Finish(toGrpc(find(*request, *response))); });
    if (!taken) reactor->Finish(toGrpc(resourceExhausted("too many calls at once on this node")));
    return reactor;
}

absl::Status FlowService::find(const v1::FindFlowsRequest& request, v1::FindFlowsResponse& response) {
    HS_ASSIGN_OR_RETURN(const audit::FlowQuestion question, flowQuestionOf(request));
    HS_ASSIGN_OR_RETURN(const audit::FoundFlows found, recorder_.find(question));
    for (const audit::Flow& flow : found.flows) *response.add_flows() = toMessage(flow);
    response.set_truncated(found.truncated);
    return absl::OkStatus();
}

}  // namespace homeslice::api
