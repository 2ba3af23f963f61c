// Whether an address can be listened on. gRPC only says no; the user wants to know why.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace homeslice::controller {

// `address` is "HOST:PORT", "[HOST]:PORT" or "unix:PATH". A Unix socket that nobody listens on any more is removed.
absl::Status checkListen(const std::string& address);
// Once a Unix socket is listened on: to other users it is as if it were not there. Nothing for other addresses.
absl::Status closeToOthers(const std::string& address);

}  // namespace homeslice::controller
