// The controller's gRPC front: ControllerService for people, NodeLink for nodes, server reflection and health. No
// protobuf above this header.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/auth/issuer.h"
#include "controller/core/controller.h"
#include "controller/images/image_files.h"

namespace homeslice::controller {

struct ServerOptions {
    static constexpr uint32_t kUsualRate = 1000;
    uint32_t rate = kUsualRate;  // requests a second that each user may make; 0: any number
    // Whether `controller` is the one that leads, of several; asked by any thread, for each call. Calls are refused
    // from the moment at which it says no.
    std::function<bool()> leads = [] { return true; };
};

class Server {
public:
    // Serves on every address ("[::]:7400", "127.0.0.1:7400"), where TLS is spoken, and Unix socket
    // ("unix:/run/x.sock"), for the local administrator: who can open it decides. UNAVAILABLE or INVALID_ARGUMENT says
    // which one cannot be listened on and why. `controller`, `images` and `issuer` must outlive it.
    static absl::StatusOr<std::unique_ptr<Server>> start(const std::vector<std::string>& addresses,
                                                         Controller& controller, ImageFiles& images,
                                                         const Issuer& issuer, ServerOptions options = {});
    // Ends every stream and call, within half a second.
    virtual ~Server() = default;

    // Ends what is open for certificates that were revoked or have expired; brings ssh keys to slivers. Call about
    // twice a second, from one thread that is not gRPC's.
    virtual void tick() = 0;

    // TCP ports, in the order of the addresses; 0 for Unix sockets.
    virtual std::vector<int> ports() const = 0;
};

}  // namespace homeslice::controller
