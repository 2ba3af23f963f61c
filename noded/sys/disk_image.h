// An ext4 file system in a file: a disk of a given size for one sliver. The file is sparse: it takes what is written.
//
// It is mounted through a loop device that goes with its last mount (LO_FLAGS_AUTOCLEAR), so that nothing of it is left
// when noded dies. Threads: any; one image by one thread at a time. Needs e2fsprogs.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace homeslice::sys {

// Makes the file, with room for about `bytes` of files. It is there complete or not at all.
absl::Status makeDiskImage(const std::string& path, uint64_t bytes);

// For how many bytes the image at `path` was made, or grown since.
absl::StatusOr<uint64_t> diskImageSize(const std::string& path);

// Grows an image that is not mounted; checks the file system first.
absl::Status growDiskImage(const std::string& path, uint64_t bytes);

// Grows one that is mounted at `mount_point`, while it is used. PERMISSION_DENIED on a node without CAP_SYS_RESOURCE,
// which the kernel asks for.
absl::Status growMountedDiskImage(const std::string& path, const std::string& mount_point, uint64_t bytes);

// A detached mount of the image.
absl::StatusOr<UniqueFd> mountDiskImage(const std::string& path);

}  // namespace homeslice::sys
