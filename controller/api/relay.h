// Exec and Logs, passed on to the sliver's node: one message under way each way, half-close and cancellation included.
// Which sliver an Exec is for comes with its first request: it asks the gate itself.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/gate.h"
#include "controller/api/node_clients.h"
#include "controller/core/controller.h"
#include "homeslice/v1/node.pb.h"

namespace homeslice::controller {

grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* relayExec(const Gate& gate, const Caller& caller,
                                                                      NodeClients& clients);
grpc::ServerWriteReactor<v1::Chunk>* relayLogs(Controller& controller, NodeClients& clients,
                                               const v1::LogsRequest& request);

}  // namespace homeslice::controller
