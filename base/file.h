// Whole small files, with the durability that state needs. Paths are host paths; no function follows a partial write.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "base/unique_fd.h"

namespace homeslice {

// open(2) with O_CLOEXEC added.
absl::StatusOr<UniqueFd> openFile(const std::string& path, int flags, unsigned mode = 0);
absl::StatusOr<std::string> readFile(const std::string& path);
// Everything up to end of file, from the descriptor's current offset.
absl::StatusOr<std::string> readAll(int fd);
// All of `data`, retrying on short writes and EINTR.
absl::Status writeAll(int fd, const std::string& data);
// Opens an existing file (a kernel control file, say), and writes `data` with a single write(2).
absl::Status writeControlFile(const std::string& path, const std::string& data);
// Replaces `path` atomically: temporary file beside it, fsync, rename, fsync of the directory.
absl::Status replaceFile(const std::string& path, const std::string& data, unsigned mode = 0600);
// mkdir -p; existing directories are left as they are.
absl::Status makeDirectories(const std::string& path, unsigned mode = 0755);
// rm -r without crossing into mounts; a missing path is fine.
absl::Status removeTree(const std::string& path);

}  // namespace homeslice
