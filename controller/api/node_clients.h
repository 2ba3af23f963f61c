// Channels to the nodes' services, one a node, kept for reuse. Threads: any.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "controller/api/switchboard.h"
#include "controller/core/controller.h"
#include "pki/tls/credentials.h"

namespace homeslice::controller {

class NodeClients {
public:
    // `board` outlives this: the way to nodes behind NATs.
    NodeClients(std::shared_ptr<tls::Credentials> credentials, Switchboard& board)
        : credentials_(std::move(credentials)), board_(board) {}

    // Speaks to nobody but this node.
    std::shared_ptr<grpc::Channel> channel(const NodeEndpoint& node);

private:
    std::string targetOf(const NodeEndpoint& node);

    const std::shared_ptr<tls::Credentials> credentials_;
    Switchboard& board_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;  // by target and node
};

// A node's answer for the client: the node is named where the message does not come from it.
grpc::Status fromNode(const NodeEndpoint& node, const grpc::Status& status);

}  // namespace homeslice::controller
