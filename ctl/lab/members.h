// Who lives in the lab: found by namespace and cgroup, never by name.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <vector>

#include "ctl/lab/state.h"

namespace homeslice::ctl::lab {

// Processes in the lab's network namespaces, in its cgroups, and those of `recorded` that live; without duplicates.
absl::StatusOr<std::vector<pid_t>> findMembers(const std::vector<StartedProgram>& recorded);

}  // namespace homeslice::ctl::lab
