// Unary calls whose answers come from nodes: ListBindings and InspectNode.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/node_clients.h"
#include "controller/api/pager.h"
#include "controller/core/controller.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

// `response` is gRPC's until the call is over.
grpc::ServerUnaryReactor* listBindings(Controller& controller, NodeClients& clients, const Pager& pager,
                                       v1::ListBindingsResponse& response);
grpc::ServerUnaryReactor* inspectNode(Controller& controller, NodeClients& clients, const std::string& name,
                                      v1::InspectResponse& response);

}  // namespace homeslice::controller
