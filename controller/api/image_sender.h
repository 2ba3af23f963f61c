// An image's archive as a stream.
#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include "base/unique_fd.h"
#include "homeslice/v1/node.pb.h"

namespace homeslice::controller {

// Sends what can be read from `archive`, or its error. The reactor deletes itself.
grpc::ServerWriteReactor<v1::Chunk>* sendImage(absl::StatusOr<UniqueFd> archive);

// Whether the other end showed the certificate of a controller of this system: those fetch images from each other.
bool isController(const grpc::CallbackServerContext& context);

}  // namespace homeslice::controller
