// A sliver's directories on the node, made before its start or before the import of its disk.
#pragma once

#include <absl/status/status.h>

#include "noded/isolation/isolator.h"

namespace homeslice::isolation {

// upper/, work/, scratch/ and log/ below runtime.directory, owned by the sliver's root. Needs directory and ids.
absl::Status makeSliverDirectories(const SliverRuntime& runtime);
// An empty directory beside them, for a disk that is being imported.
absl::StatusOr<std::string> makeIncomingDisk(const SliverRuntime& runtime);
// The imported disk, flushed, takes the place of the sliver's earlier one.
absl::Status replaceDisk(const SliverRuntime& runtime);

}  // namespace homeslice::isolation
