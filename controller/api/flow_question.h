// FindFlows: asked of all nodes that may have slivers.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/node_clients.h"
#include "controller/core/controller.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

// `response` is gRPC's until the call is over. Nodes that are away, or do not answer, are named in it.
grpc::ServerUnaryReactor* findFlows(Controller& controller, NodeClients& clients, const v1::FindFlowsRequest& request,
                                    v1::FlowReport& response);

}  // namespace homeslice::controller
