#include "noded/sys/subvolume.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

constexpr uint64_t kNoLimit = UINT64_MAX;  // CLEAR_VALUE of the kernel's qgroup.c

struct Place {
    std::string parent;
    std::string name;
};

Place placeOf(const std::string& path) {
    const size_t slash = path.rfind('/');
    return {.parent = path.substr(0, slash), .name = path.substr(slash + 1)};
}

absl::StatusOr<UniqueFd> openDirectory(const std::string& path) {
    return openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

absl::StatusOr<btrfs_ioctl_vol_args> argumentsFor(const std::string& name) {
    btrfs_ioctl_vol_args arguments{};
    if (name.empty() || name.size() >= sizeof arguments.name) return invalidArgument("no name of a subvolume: " + name);
    name.copy(arguments.name, name.size());
    return arguments;
}

absl::StatusOr<uint64_t> idOf(int subvolume) {
    btrfs_ioctl_ino_lookup_args lookup{};
    lookup.objectid = BTRFS_FIRST_FREE_OBJECTID;
    if (::ioctl(subvolume, BTRFS_IOC_INO_LOOKUP, &lookup) != 0) return errnoStatus(errno, "BTRFS_IOC_INO_LOOKUP");
    return lookup.treeid;
}

// Nothing happens where they are on.
absl::Status switchQuotasOn(int directory) {
    btrfs_ioctl_quota_ctl_args control{};
    control.cmd = BTRFS_QUOTA_CTL_ENABLE;
    if (::ioctl(directory, BTRFS_IOC_QUOTA_CTL, &control) == 0) return absl::OkStatus();
    return errnoStatus(errno, "BTRFS_IOC_QUOTA_CTL");
}

// Some kernels remove it with the subvolume, and refuse (EBUSY) to do so before that is gone for good.
absl::Status removeQuotaGroup(int directory, uint64_t id) {
    btrfs_ioctl_qgroup_create_args arguments{};
    arguments.qgroupid = id;
    if (::ioctl(directory, BTRFS_IOC_QGROUP_CREATE, &arguments) == 0) return absl::OkStatus();
    const bool is_gone = errno == ENOENT || errno == ENOTCONN || errno == EBUSY;
    return is_gone ? absl::OkStatus() : errnoStatus(errno, "BTRFS_IOC_QGROUP_CREATE");
}

// The machine is little endian, as btrfs is.
template <typename Item>
absl::Status readQuotaItem(int file, uint32_t type, uint64_t id, Item& item) {
    btrfs_ioctl_search_args search{};
    btrfs_ioctl_search_key& key = search.key;
    key.tree_id = BTRFS_QUOTA_TREE_OBJECTID;
    key.min_type = key.max_type = type;
    key.min_offset = key.max_offset = id;
    key.max_transid = UINT64_MAX;
    key.nr_items = 1;
    const bool found = ::ioctl(file, BTRFS_IOC_TREE_SEARCH, &search) == 0;
    if (!found && errno != ENOENT) return errnoStatus(errno, "BTRFS_IOC_TREE_SEARCH");
    if (!found || key.nr_items == 0) return failedPrecondition("it has no quota group");
    std::memcpy(&item, search.buf + sizeof(btrfs_ioctl_search_header), sizeof item);
    return absl::OkStatus();
}

bool isOnBtrfs(int file) {
    struct statfs about {};
    return ::fstatfs(file, &about) == 0 && static_cast<uint64_t>(about.f_type) == BTRFS_SUPER_MAGIC;
}

}  // namespace

bool isOnBtrfs(const std::string& directory) {
    const auto opened = openDirectory(directory);
    return opened.ok() && isOnBtrfs(opened->get());
}

bool isSubvolume(const std::string& path) {
    const auto opened = openDirectory(path);
    if (!opened.ok() || !isOnBtrfs(opened->get())) return false;
    struct stat about {};
    return ::fstat(opened->get(), &about) == 0 && about.st_ino == BTRFS_FIRST_FREE_OBJECTID;
}

absl::Status makeSubvolume(const std::string& path) {
    const Place place = placeOf(path);
    HS_ASSIGN_OR_RETURN(const UniqueFd parent, openDirectory(place.parent));
    HS_ASSIGN_OR_RETURN(btrfs_ioctl_vol_args arguments, argumentsFor(place.name));
    if (::ioctl(parent.get(), BTRFS_IOC_SUBVOL_CREATE, &arguments) == 0) return absl::OkStatus();
    return errnoStatus(errno, "make the subvolume " + path);
}

absl::Status limitSubvolume(const std::string& path, uint64_t bytes) {
    HS_ASSIGN_OR_RETURN(const UniqueFd subvolume, openDirectory(path));
    HS_RETURN_IF_ERROR_CTX(switchQuotasOn(subvolume.get()), path);
    btrfs_ioctl_qgroup_limit_args limit{};  // qgroupid 0: that of the subvolume itself
    limit.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
    limit.lim.max_rfer = bytes == 0 ? kNoLimit : bytes;
    if (::ioctl(subvolume.get(), BTRFS_IOC_QGROUP_LIMIT, &limit) == 0) return absl::OkStatus();
    return errnoStatus(errno, "limit the subvolume " + path);
}

absl::StatusOr<SubvolumeQuota> subvolumeQuota(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const UniqueFd subvolume, openDirectory(path));
    HS_ASSIGN_OR_RETURN_CTX(const uint64_t id, idOf(subvolume.get()), path);
    btrfs_qgroup_info_item info{};
    btrfs_qgroup_limit_item limit{};
    HS_RETURN_IF_ERROR_CTX(readQuotaItem(subvolume.get(), BTRFS_QGROUP_INFO_KEY, id, info), path);
    HS_RETURN_IF_ERROR_CTX(readQuotaItem(subvolume.get(), BTRFS_QGROUP_LIMIT_KEY, id, limit), path);
    const bool is_limited = (limit.flags & BTRFS_QGROUP_LIMIT_MAX_RFER) != 0 && limit.max_rfer != kNoLimit;
    return SubvolumeQuota{.used = info.rfer, .limit = is_limited ? limit.max_rfer : 0};
}

absl::Status removeSubvolume(const std::string& path) {
    const Place place = placeOf(path);
    auto subvolume = openDirectory(path);
    if (errnoOf(subvolume.status()) == ENOENT) return absl::OkStatus();
    HS_RETURN_IF_ERROR(subvolume.status());
    HS_ASSIGN_OR_RETURN_CTX(const uint64_t id, idOf(subvolume->get()), path);
    subvolume->reset();
    HS_ASSIGN_OR_RETURN(const UniqueFd parent, openDirectory(place.parent));
    HS_ASSIGN_OR_RETURN(btrfs_ioctl_vol_args arguments, argumentsFor(place.name));
    if (::ioctl(parent.get(), BTRFS_IOC_SNAP_DESTROY, &arguments) != 0) {
        return errnoStatus(errno, "remove the subvolume " + path);
    }
    return removeQuotaGroup(parent.get(), id);
}

}  // namespace homeslice::sys
