#include "controller/api/node_clients.h"

#include <fmt/format.h>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/nat.h"
#include "base/reason.h"
#include "base/status.h"
#include "rpc/status.h"

namespace homeslice::controller {
namespace {

constexpr int kMinReconnectMs = 100;
constexpr int kMaxReconnectMs = 1000;
constexpr int kConnectTimeoutMs = 5000;  // two lost SYNs, or a slow handshake
constexpr int kKeepaliveMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;

}  // namespace

std::string NodeClients::targetOf(const NodeEndpoint& node) {
    if (!isBehindNat(node.address)) {
        return fmt::format("{}:{}", isIpv4(node.address) ? "ipv4" : "ipv6", endpointText(node.address, node.api_port));
    }
    auto target = board_.targetFor(node.name);
    if (target.ok()) return *std::move(target);
    logWarning("{}", messageOf(target.status()));
    return "unix-abstract:none";  // which refuses, so that the call fails
}

std::shared_ptr<grpc::Channel> NodeClients::channel(const NodeEndpoint& node) {
    const std::string target = targetOf(node);
    const std::lock_guard lock(mutex_);
    std::shared_ptr<grpc::Channel>& channel = channels_[target + " " + node.name];
    if (channel != nullptr) return channel;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kMinReconnectMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    channel = credentials_->channel(target, pki::nodeServerName(node.name), arguments);
    return channel;
}

grpc::Status fromNode(const NodeEndpoint& node, const grpc::Status& status) {
    const bool transport = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                           status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (!transport) return status;
    const absl::Status own(static_cast<absl::StatusCode>(status.error_code()),
                           "node '" + node.name + "': " + status.error_message());
    return rpc::toGrpc(because(own, reason::kNodeAway, {{"node", node.name}}));
}

}  // namespace homeslice::controller
