// Image archives are files: each of several controllers fetches those that it lacks from the others, so that whoever
// leads next has them.
#pragma once

#include <memory>

#include "controller/auth/issuer.h"
#include "controller/images/image_files.h"
#include "controller/store/etcd/seat.h"

namespace homeslice::controller {

class ImageCopies {
public:
    // Looks every second, on a thread of its own. All of these outlive it.
    static absl::StatusOr<std::unique_ptr<ImageCopies>> start(EtcdSeat& seat, ImageFiles& images, const Issuer& issuer);
    // Cancels what is under way.
    virtual ~ImageCopies() = default;
};

}  // namespace homeslice::controller
