// Listening sockets for servers of ours.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "base/unique_fd.h"

namespace homeslice::rpc {

// `address` is "HOST:PORT", "[HOST]:PORT" (HOST a number) or "unix:PATH". Non-blocking. To other users a Unix socket is
// as if it were not there; one that nobody listens on any more is replaced. INVALID_ARGUMENT for anything else, or with
// the errno that says why not (EADDRINUSE, EADDRNOTAVAIL, ...).
absl::StatusOr<UniqueFd> listenOn(const std::string& address);

}  // namespace homeslice::rpc
