// What slicectl's exit status says.
#pragma once

#include <absl/status/status.h>

namespace homeslice::ctl {

constexpr int kExitOk = 0;
constexpr int kExitError = 1;
constexpr int kExitPartial = 2;  // some slivers failed, or there is no room
constexpr int kExitNotFound = 3;
constexpr int kExitConflict = 4;   // exists already, is in use, or is in the wrong state
constexpr int kExitTimeout = 124;  // as timeout(1)
constexpr int kExitInterrupted = 130;

int exitStatusOf(const absl::Status& status);

}  // namespace homeslice::ctl
