// Exec and Logs, passed on to the sliver's node: one message under way each way, half-close and cancellation included.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/node_clients.h"
#include "controller/core/controller.h"
#include "homeslice/v1/node.pb.h"

namespace homeslice::controller {

grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* relayExec(Controller& controller, NodeClients& clients);
grpc::ServerWriteReactor<v1::Chunk>* relayLogs(Controller& controller, NodeClients& clients,
                                               const v1::LogsRequest& request);

}  // namespace homeslice::controller
