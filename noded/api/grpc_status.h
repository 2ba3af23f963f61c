// absl::Status <-> grpc::Status: the codes are the same numbers, the messages go over as they are.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace homeslice::api {

grpc::Status toGrpc(const absl::Status& status);
absl::Status fromGrpc(const grpc::Status& status);

}  // namespace homeslice::api
