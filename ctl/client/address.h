// Where the controller is.
#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace homeslice::ctl {

// The first of: `option` (--controller), $HOMESLICE_CONTROLLER, the lab's socket if there is one, the machine's socket.
std::string resolveController(const std::string& option);

// gRPC's name for "unix:PATH", "HOST:PORT" or "[IPv6]:PORT"; INVALID_ARGUMENT for anything else.
absl::StatusOr<std::string> grpcTarget(const std::string& address);

}  // namespace homeslice::ctl
