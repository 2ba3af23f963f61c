// The controller's gRPC front: ControllerService for people, NodeLink for nodes, server reflection and health. No
// protobuf above this header.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "controller/auth/issuer.h"
#include "controller/core/controller.h"
#include "controller/images/image_files.h"

namespace homeslice::controller {

class Server {
public:
    // Serves on every address ("[::]:7400", "127.0.0.1:7400"), where TLS is spoken, and Unix socket
    // ("unix:/run/x.sock"), for the local administrator: who can open it decides. UNAVAILABLE or INVALID_ARGUMENT says
    // which one cannot be listened on and why. `controller`, `images` and `issuer` must outlive it. `rate`: requests a
    // second that each user may make; 0: any number.
    static absl::StatusOr<std::unique_ptr<Server>> start(const std::vector<std::string>& addresses,
                                                         Controller& controller, ImageFiles& images,
                                                         const Issuer& issuer, uint32_t rate = kUsualRate);
    static constexpr uint32_t kUsualRate = 1000;
    // Ends every stream and call, within half a second.
    virtual ~Server() = default;

    // Ends what is open for certificates that were revoked or have expired; brings ssh keys to slivers. Call about
    // twice a second, from one thread that is not gRPC's.
    virtual void tick() = 0;

    // TCP ports, in the order of the addresses; 0 for Unix sockets.
    virtual std::vector<int> ports() const = 0;
};

}  // namespace homeslice::controller
