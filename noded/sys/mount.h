// Mounts by the new mount API (fsopen(2), open_tree(2), move_mount(2), mount_setattr(2)): a mount is made detached,
// held by its descriptor, and seen by nobody until it is attached. Dropping the descriptor of a mount that was never
// attached unmounts it. Threads: any. Errors keep the errno of the system call; file system types add the kernel's own
// words from the fs context's log.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::sys {

// Bits of MountAttributes, as in mount_setattr(2).
inline constexpr uint64_t kMountReadOnly = 0x1;
inline constexpr uint64_t kMountNoSuid = 0x2;
inline constexpr uint64_t kMountNoDev = 0x4;
inline constexpr uint64_t kMountNoExec = 0x8;

// A detached mount of a new file system, fsopen(type) with `options` (a value "" sets a flag, as "ro" does).
absl::StatusOr<UniqueFd> makeFileSystem(const std::string& type,
                                        const std::vector<std::pair<std::string, std::string>>& options,
                                        uint64_t attributes = 0);

// A detached bind mount of `path`; `recursive` takes the mounts below along.
absl::StatusOr<UniqueFd> cloneMount(const std::string& path, bool recursive = false);

// A detached bind mount of `path` on which ids are seen through the user namespace's maps: what is owned by id 0 on
// disk is owned by the namespace's root there (MOUNT_ATTR_IDMAP). The file system must support it (ext4, xfs, btrfs;
// tmpfs since 6.3).
absl::StatusOr<UniqueFd> idmappedClone(const std::string& path, int user_namespace_fd, uint64_t attributes = 0);

// mount_setattr(2) on a mount held by `mount_fd`, with all mounts below it when `recursive`.
absl::Status setAttributes(int mount_fd, uint64_t attributes, bool recursive = false);

// move_mount(2): the detached mount becomes visible at `path`, which must exist.
absl::Status attachMount(int mount_fd, const std::string& path);

// umount2(2) with MNT_DETACH | UMOUNT_NOFOLLOW; OK when nothing is mounted at `path` or it does not exist.
absl::Status detachMount(const std::string& path);

struct Overlay {
    std::vector<int> lower;  // directories (detached mounts, say), topmost first, at least one; borrowed
    std::string upper;       // these two side by side in one directory
    std::string work;
    std::string scratch;  // existing directory for the fall-back's temporary mount points
    uint64_t attributes = kMountNoDev;
    // Takes what was needed for the making alone. Without it that is closed at once, for which the kernel waits (a
    // grace period of RCU for each mount).
    std::vector<UniqueFd>* spent = nullptr;
};

// A detached overlay mount. Where the kernel takes layers by descriptor (6.13), it does that; else (6.1) the lower
// layers are attached below `scratch` while the overlay is made, and detached again.
absl::StatusOr<UniqueFd> makeOverlay(const Overlay& overlay);

// The two ways of makeOverlay().
absl::StatusOr<UniqueFd> makeOverlayByDescriptors(const Overlay& overlay);
absl::StatusOr<UniqueFd> makeOverlayByPaths(const Overlay& overlay);

}  // namespace homeslice::sys
