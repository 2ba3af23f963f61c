// A stopped sliver's disk (its overlay's upper directory) as a tar stream between nodes.
//
// Owners are written as seen inside the sliver (host id minus the range's first), so that each node uses a range of its
// own. Kept: modes, times, xattrs (also overlay's "trusted.overlay." marks), hard links, sparse files, whiteouts
// (character devices 0/0). Other device nodes are refused; sockets, which nobody listens on any more, are left out. The
// directory itself is the last member and marks the stream's end.
//
// Threads: any. The caller ignores SIGPIPE. Both need root.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>

namespace homeslice::migration {

// Packs `upper_directory`, in which nobody writes meanwhile, into `fd` (pipe or file).
absl::Status exportDisk(const std::string& upper_directory, uint32_t first_id, int fd);

// Unpacks from `fd` into `upper_directory`, which must be empty. DATA_LOSS when the stream ends early; then the
// directory is left for the caller to remove.
absl::Status importDisk(int fd, const std::string& upper_directory, uint32_t first_id);

}  // namespace homeslice::migration
