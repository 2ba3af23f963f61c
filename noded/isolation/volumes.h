// Directories of the node that slivers are given.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "spec/sliver_spec.h"

namespace homeslice::isolation {

// A detached mount of the volume's source. The source must be one of `allowed`, or below one; below it no link is
// followed, whoever can write there. Owners are seen through the maps of `user_namespace`: what the sliver's root
// writes belongs to id 0 of the volume, on whichever node. PERMISSION_DENIED when the node does not allow it.
absl::StatusOr<UniqueFd> openVolume(const Volume& volume, const std::vector<std::string>& allowed, int user_namespace);

}  // namespace homeslice::isolation
