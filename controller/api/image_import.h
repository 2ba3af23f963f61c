// ImportImage: an archive on its way in.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/api/gate.h"
#include "controller/images/image_files.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

// Fills `image`, which gRPC owns until the call is over.
grpc::ServerReadReactor<v1::ImportImageRequest>* importImage(const Gate& gate, const Caller& caller, ImageFiles& images,
                                                             v1::Image& image);

}  // namespace homeslice::controller
