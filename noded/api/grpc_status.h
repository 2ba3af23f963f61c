// absl::Status <-> grpc::Status, as in rpc/.
#pragma once

#include "rpc/status.h"

namespace homeslice::api {

using rpc::fromGrpc;
using rpc::toGrpc;

}  // namespace homeslice::api
