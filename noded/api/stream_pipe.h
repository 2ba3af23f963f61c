// Pipes between the event loop, which must not block, and those at the other end, who may.
#pragma once

#include <absl/status/statusor.h>

#include "base/unique_fd.h"

namespace homeslice::api {

struct StreamPipe {
    UniqueFd read_end;
    UniqueFd write_end;
};

enum class LoopEnd { read, write };

// A pipe whose `loop_end` is non-blocking. Both ends are closed on exec.
absl::StatusOr<StreamPipe> makeStreamPipe(LoopEnd loop_end);

}  // namespace homeslice::api
