// A sliver's directories, and its disk below them. Without a limit the disk is a directory; with one it is a subvolume
// where the node's store is on btrfs (sys/subvolume.h), else an ext4 file system in a file (sys/disk_image.h), or on
// request a tmpfs, mounted at the same place while it is used.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "noded/isolation/isolator.h"

namespace homeslice::isolation {

// All but the disk.
absl::Status makeSliverDirectories(const SliverRuntime& runtime);

// Makes the disk, or takes the one that is there, and mounts it. It stays mounted until unmountDisk(). An ext4 is grown
// when the spec says so. FAILED_PRECONDITION when the spec has an ext4 smaller, or takes its limit away.
absl::Status mountDisk(const SliverSpec& spec, const SliverRuntime& runtime);
// Nobody uses it any more. A tmpfs stays: it is the disk itself.
absl::Status unmountDisk(const SliverRuntime& runtime);
// Its new size, while it is used. A subvolume or a tmpfs may get less, or no limit; FAILED_PRECONDITION when more than
// that is used. For an ext4 the errors of mountDisk(); PERMISSION_DENIED where the kernel does not let noded.
absl::Status resizeDisk(const SliverSpec& spec, const SliverRuntime& runtime);
// Removes the directory of a sliver with its disk, whatever is mounted there.
absl::Status removeSliverDirectory(const std::string& directory);

// The disk is mounted while this lives.
class DiskInUse {
public:
    static absl::StatusOr<DiskInUse> make(const SliverSpec& spec, const SliverRuntime& runtime);
    DiskInUse(DiskInUse&& other) noexcept;
    DiskInUse& operator=(DiskInUse&&) = delete;
    ~DiskInUse();

private:
    explicit DiskInUse(SliverRuntime runtime) : runtime_(std::move(runtime)), armed_(true) {}
    SliverRuntime runtime_;
    bool armed_;
};

// For a disk that comes from another node: an empty directory beside the present disk's, owned by the sliver, on the
// same file system. An earlier one is removed. A disk with a limit has no room for two: the present one, which is older
// than what comes, goes first.
absl::StatusOr<std::string> makeIncomingDisk(const SliverRuntime& runtime);
// Flushes what has come and puts it into the present disk's place.
absl::Status replaceDisk(const SliverRuntime& runtime);

}  // namespace homeslice::isolation
