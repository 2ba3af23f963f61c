// The client's connection to a running launcher, and how one is started.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <string>

#include "base/unique_fd.h"

namespace homeslice::launcher {

struct Connection {
    UniqueFd socket;    // hello has been received
    pid_t started = 0;  // the launcher, if it was started here: a child to reap
};

// Two that call this at once for one path share one launcher.
absl::StatusOr<Connection> connectOrStart(const std::string& program, const std::string& socket_path);

}  // namespace homeslice::launcher
