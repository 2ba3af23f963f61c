// ImportImage: an archive on its way in.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/core/controller.h"
#include "controller/images/image_files.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

// Fills `image`, which gRPC owns until the call is over.
grpc::ServerReadReactor<v1::ImportImageRequest>* importImage(Controller& controller, ImageFiles& images,
                                                             v1::Image& image);

}  // namespace homeslice::controller
