// WatchOperation: an operation's changes as a stream.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/core/controller.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

grpc::ServerWriteReactor<v1::Operation>* streamOperation(Controller& controller, const std::string& id);

}  // namespace homeslice::controller
