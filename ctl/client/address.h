// Where the controller is, and what is shown to it.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace homeslice::ctl {

struct Endpoint {
    std::string address;      // as in grpcTargets()
    std::string credentials;  // directory of the user's credentials there; empty for a Unix socket
};

// The first of: `controller` (--controller), `context` (--context), $HOMESLICE_CONTROLLER, $HOMESLICE_CONTEXT, the
// current context, the lab's socket if there is one, the machine's socket. An address that is no socket needs the
// credentials of a context: those of `context`, else of the current one.
absl::StatusOr<Endpoint> resolveEndpoint(const std::string& controller, const std::string& context);

// gRPC's name for "unix:PATH", "HOST:PORT" or "[IPv6]:PORT"; INVALID_ARGUMENT for anything else.
absl::StatusOr<std::string> grpcTarget(const std::string& address);
// The same for several, with commas between.
absl::StatusOr<std::vector<std::string>> grpcTargets(const std::string& addresses);
bool isSocket(const std::string& address);

}  // namespace homeslice::ctl
