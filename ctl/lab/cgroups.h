// The lab's cgroups, in every hierarchy of the machine (v1, v2 or both).
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace homeslice::ctl::lab {

// The lab's group in each hierarchy that has one: directories.
absl::StatusOr<std::vector<std::string>> labCgroups();
// All processes in the group or below.
std::vector<pid_t> processesBelow(const std::string& group);
// Removes the group with all below it, the leaves first. UNAVAILABLE when it stays busy.
absl::Status removeCgroup(const std::string& group);

}  // namespace homeslice::ctl::lab
