// One lab command at a time changes the lab.
#pragma once

#include <absl/status/statusor.h>

#include "base/unique_fd.h"

namespace homeslice::ctl::lab {

// An exclusive flock(2) on the parent of the lab's run directory, which is made if need be; held as long as the
// descriptor. FAILED_PRECONDITION when another command holds it.
absl::StatusOr<UniqueFd> lockLab();

}  // namespace homeslice::ctl::lab
