#include "noded/isolation/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/sys/disk_image.h"
#include "noded/sys/mount.h"
#include "noded/sys/subvolume.h"

namespace homeslice::isolation {
namespace {

std::string incoming(const SliverRuntime& runtime) { return runtime.diskDirectory() + "/incoming"; }
std::string image(const SliverRuntime& runtime) { return runtime.directory + "/disk.ext4"; }

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// `path` is made by us in a directory that only host root can enter: nobody can put a link in its place.
absl::Status makeOwnedDirectory(const std::string& path, uint32_t owner, unsigned mode) {
    HS_RETURN_IF_ERROR(makeDirectories(path));
    if (::chown(path.c_str(), owner, owner) != 0) return errnoStatus(errno, "chown(" + path + ")");
    if (::chmod(path.c_str(), mode) != 0) return errnoStatus(errno, "chmod(" + path + ")");
    return absl::OkStatus();
}

bool isMounted(const SliverRuntime& runtime) {
    struct statx about {};
    if (::statx(AT_FDCWD, runtime.diskDirectory().c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &about) != 0) return false;
    return (about.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

bool wantsOwnFileSystem(const Resources& wanted) {
    return wanted.disk_bytes != 0 || wanted.disk_medium == DiskMedium::memory;
}

absl::Status limitCannotCome() {
    return failedPrecondition("disk limit: the disk was made without one, and keeps none; a new sliver can have one");
}

absl::Status cannotShrink(uint64_t wanted, uint64_t present) {
    return failedPrecondition("disk limit: " + std::to_string(wanted) + " bytes is less than the " +
                              std::to_string(present) + " that the disk has; a disk can only grow");
}

absl::Status inUse(uint64_t wanted) {
    return failedPrecondition("disk limit: more than " + std::to_string(wanted) + " bytes are used");
}

// An image's size is known to a mebibyte.
absl::Status checkGrowth(const SliverRuntime& runtime, uint64_t wanted) {
    constexpr uint64_t kExact = uint64_t{2} << 20;
    if (wanted == 0) return failedPrecondition("disk limit: that of a disk cannot be taken away, only raised");
    HS_ASSIGN_OR_RETURN(const uint64_t present, sys::diskImageSize(image(runtime)));
    return wanted + kExact < present ? cannotShrink(wanted, present) : absl::OkStatus();
}

// Before there is anything of the sliver's in it.
absl::Status makeLimitedSubvolume(const SliverRuntime& runtime, uint64_t bytes) {
    const std::string path = runtime.diskDirectory();
    HS_RETURN_IF_ERROR(removeTree(path));
    HS_RETURN_IF_ERROR(sys::makeSubvolume(path));
    if (::chmod(path.c_str(), 0700) != 0) return errnoStatus(errno, "chmod(" + path + ")");
    return sys::limitSubvolume(path, bytes);
}

absl::Status resizeSubvolume(const std::string& path, uint64_t bytes) {
    HS_ASSIGN_OR_RETURN(const sys::SubvolumeQuota present, sys::subvolumeQuota(path));
    if (bytes == present.limit) return absl::OkStatus();
    if (bytes != 0 && bytes < present.used) return inUse(bytes);
    return sys::limitSubvolume(path, bytes);
}

absl::Status mountImage(const SliverRuntime& runtime, uint64_t bytes) {
    if (exists(image(runtime))) {
        HS_RETURN_IF_ERROR(checkGrowth(runtime, bytes));
        HS_RETURN_IF_ERROR(sys::growDiskImage(image(runtime), bytes));
    } else {
        HS_RETURN_IF_ERROR(sys::makeDiskImage(image(runtime), bytes));
    }
    HS_ASSIGN_OR_RETURN(const UniqueFd mount, sys::mountDiskImage(image(runtime)));
    return sys::attachMount(mount.get(), runtime.diskDirectory());
}

absl::Status mountMemory(const SliverRuntime& runtime, uint64_t bytes) {
    std::vector<std::pair<std::string, std::string>> options = {{"mode", "0700"}};
    if (bytes != 0) options.emplace_back("size", std::to_string(bytes));
    HS_ASSIGN_OR_RETURN(const UniqueFd mount,
                        sys::makeFileSystem("tmpfs", options, sys::kMountNoDev | sys::kMountNoSuid));
    return sys::attachMount(mount.get(), runtime.diskDirectory());
}

absl::Status resizeMemory(const SliverRuntime& runtime, uint64_t bytes) {
    const std::string size = "size=" + std::to_string(bytes);  // 0: none
    const std::string place = runtime.diskDirectory();
    if (::mount("tmpfs", place.c_str(), nullptr, MS_REMOUNT | MS_NODEV | MS_NOSUID, size.c_str()) == 0) {
        return absl::OkStatus();
    }
    if (errno == EINVAL) return inUse(bytes);
    return errnoStatus(errno, "remount " + place);
}

}  // namespace

absl::Status makeSliverDirectories(const SliverRuntime& runtime) {
    HS_RETURN_IF_ERROR(makeDirectories(runtime.directory, 0700));
    HS_RETURN_IF_ERROR(makeDirectories(runtime.directory + "/scratch", 0700));
    return makeOwnedDirectory(runtime.logDirectory(), runtime.ids.first, 0700);
}

absl::Status mountDisk(const SliverSpec& spec, const SliverRuntime& runtime) {
    const Resources& wanted = spec.base.resources;
    if (sys::isSubvolume(runtime.diskDirectory())) {
        return sys::limitSubvolume(runtime.diskDirectory(), wanted.disk_bytes);
    }
    HS_RETURN_IF_ERROR(makeDirectories(runtime.diskDirectory(), 0700));
    if (isMounted(runtime)) return absl::OkStatus();
    if (exists(runtime.upperDirectory())) {
        return wantsOwnFileSystem(wanted) ? limitCannotCome() : absl::OkStatus();
    }
    if (exists(image(runtime))) return mountImage(runtime, wanted.disk_bytes);
    if (wanted.disk_medium == DiskMedium::memory) return mountMemory(runtime, wanted.disk_bytes);
    if (wanted.disk_bytes == 0) return absl::OkStatus();
    return sys::isOnBtrfs(runtime.directory) ? makeLimitedSubvolume(runtime, wanted.disk_bytes)
                                             : mountImage(runtime, wanted.disk_bytes);
}

absl::Status unmountDisk(const SliverRuntime& runtime) {
    return exists(image(runtime)) ? sys::detachMount(runtime.diskDirectory()) : absl::OkStatus();
}

absl::Status resizeDisk(const SliverSpec& spec, const SliverRuntime& runtime) {
    const uint64_t wanted = spec.base.resources.disk_bytes;
    if (exists(image(runtime))) {
        HS_RETURN_IF_ERROR(checkGrowth(runtime, wanted));
        return sys::growMountedDiskImage(image(runtime), runtime.diskDirectory(), wanted);
    }
    if (isMounted(runtime)) return resizeMemory(runtime, wanted);
    if (sys::isSubvolume(runtime.diskDirectory())) return resizeSubvolume(runtime.diskDirectory(), wanted);
    return wanted == 0 ? absl::OkStatus() : limitCannotCome();
}

absl::Status removeSliverDirectory(const std::string& directory) {
    const std::string disk = directory + "/disk";
    HS_RETURN_IF_ERROR(sys::detachMount(disk));
    if (sys::isSubvolume(disk)) HS_RETURN_IF_ERROR(sys::removeSubvolume(disk));
    return removeTree(directory);
}

absl::StatusOr<DiskInUse> DiskInUse::make(const SliverSpec& spec, const SliverRuntime& runtime) {
    HS_RETURN_IF_ERROR_CTX(mountDisk(spec, runtime), "disk");
    return DiskInUse(runtime);
}

DiskInUse::DiskInUse(DiskInUse&& other) noexcept
    : runtime_(std::move(other.runtime_)), armed_(std::exchange(other.armed_, false)) {}

DiskInUse::~DiskInUse() {
    if (!armed_) return;
    if (const absl::Status status = unmountDisk(runtime_); !status.ok()) logError("{}", messageOf(status));
}

absl::StatusOr<std::string> makeIncomingDisk(const SliverRuntime& runtime) {
    if (isMounted(runtime) || sys::isSubvolume(runtime.diskDirectory())) {
        HS_RETURN_IF_ERROR(removeTree(runtime.upperDirectory()));
        HS_RETURN_IF_ERROR(removeTree(runtime.workDirectory()));
    }
    HS_RETURN_IF_ERROR(removeTree(incoming(runtime)));
    HS_RETURN_IF_ERROR(makeOwnedDirectory(incoming(runtime), runtime.ids.first, 0755));
    return incoming(runtime);
}

absl::Status replaceDisk(const SliverRuntime& runtime) {
    {
        HS_ASSIGN_OR_RETURN(const UniqueFd directory, openFile(incoming(runtime), O_RDONLY | O_DIRECTORY));
        if (::syncfs(directory.get()) != 0) return errnoStatus(errno, "syncfs(" + incoming(runtime) + ")");
    }
    HS_RETURN_IF_ERROR(removeTree(runtime.upperDirectory()));
    HS_RETURN_IF_ERROR(removeTree(runtime.workDirectory()));
    if (::rename(incoming(runtime).c_str(), runtime.upperDirectory().c_str()) != 0) {
        return errnoStatus(errno, "rename to " + runtime.upperDirectory());
    }
    return absl::OkStatus();
}

}  // namespace homeslice::isolation
