// Channels to the nodes' services, one a node, kept for reuse. Threads: any.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "controller/core/controller.h"
#include "pki/tls/credentials.h"

namespace homeslice::controller {

class NodeClients {
public:
    explicit NodeClients(std::shared_ptr<tls::Credentials> credentials) : credentials_(std::move(credentials)) {}

    // Speaks to nobody but this node.
    std::shared_ptr<grpc::Channel> channel(const NodeEndpoint& node);

private:
    const std::shared_ptr<tls::Credentials> credentials_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;  // by target and node
};

// A node's answer for the client: the node is named where the message does not come from it.
grpc::Status fromNode(const NodeEndpoint& node, const grpc::Status& status);

}  // namespace homeslice::controller
