// absl::Status over gRPC: code and message as they are, and the reason (base/reason.h) as google.rpc.ErrorInfo in the
// details. Pure.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

#include <string>

namespace homeslice::rpc {

inline constexpr char kErrorDomain[] = "homeslice";

// Messages are cut where they would not go into a client's trailing metadata (8 KiB), and made UTF-8.
grpc::Status toGrpc(const absl::Status& status);
// Details that are missing, malformed or of another domain are no reason.
absl::Status fromGrpc(const grpc::Status& status);
// The reason in its details goes to `status`, which has a message of the caller's own.
absl::Status withReasonOf(const grpc::Status& status, const absl::Status& own);

}  // namespace homeslice::rpc
