#include "noded/api/grpc_status.h"

#include "base/status.h"
#include "noded/api/utf8.h"

namespace homeslice::api {

grpc::Status toGrpc(const absl::Status& status) {
    if (status.ok()) return grpc::Status::OK;
    return {static_cast<grpc::StatusCode>(status.code()), asUtf8(messageOf(status))};
}

absl::Status fromGrpc(const grpc::Status& status) {
    if (status.ok()) return absl::OkStatus();
    return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

}  // namespace homeslice::api
