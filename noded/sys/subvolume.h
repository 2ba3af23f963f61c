// Subvolumes of btrfs, each with a quota group of its own (qgroup 0/ID), which counts and limits what is referenced
// from it: files and the metadata that leads to them. Threads: any. Errors keep the errno of the ioctl (linux/btrfs.h).
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace homeslice::sys {

// Whether `directory` is on btrfs. False for what is not there.
bool isOnBtrfs(const std::string& directory);
// Whether `path` is the root of a subvolume.
bool isSubvolume(const std::string& path);

// A new, empty one; its parent directory is on btrfs.
absl::Status makeSubvolume(const std::string& path);

// At most `bytes` from now on, whatever there is already; 0: no limit. Switches the file system's quotas on where they
// are off.
absl::Status limitSubvolume(const std::string& path, uint64_t bytes);

struct SubvolumeQuota {
    uint64_t used = 0;   // referenced from it, as of the last commit (sync(2))
    uint64_t limit = 0;  // 0: none
};
// FAILED_PRECONDITION where quotas are off.
absl::StatusOr<SubvolumeQuota> subvolumeQuota(const std::string& path);

// With all that is in it, and its quota group. There must be no other subvolume in it. OK when it is not there.
absl::Status removeSubvolume(const std::string& path);

}  // namespace homeslice::sys
