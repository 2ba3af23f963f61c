// Channels to the nodes' services, one a node, kept for reuse. Threads: any.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "controller/core/controller.h"

namespace homeslice::controller {

class NodeClients {
public:
    std::shared_ptr<grpc::Channel> channel(const NodeEndpoint& node);

private:
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;  // by target
};

// A node's answer for the client: the node is named where the message does not come from it.
grpc::Status fromNode(const NodeEndpoint& node, const grpc::Status& status);

}  // namespace homeslice::controller
