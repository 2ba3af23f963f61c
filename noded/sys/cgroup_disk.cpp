// The disk behind a path.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <charconv>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/cgroup_limits.h"

namespace homeslice::sys {
namespace {

BlockDevice deviceOf(dev_t number) { return {.major = ::gnu_dev_major(number), .minor = ::gnu_dev_minor(number)}; }

// proc(5): 36 35 98:0 ROOT MOUNT_POINT options ... - FILE_SYSTEM SOURCE super-options
std::string sourceOfMount(uint64_t id) {
    std::istringstream mounts(readFile("/proc/self/mountinfo").value_or(""));
    for (std::string line; std::getline(mounts, line);) {
        if (!line.starts_with(std::to_string(id) + " ")) continue;
        const size_t dash = line.find(" - ");
        if (dash == std::string::npos) return "";
        std::istringstream words(line.substr(dash + 3));
        std::string type;
        std::string source;
        words >> type >> source;
        return source;
    }
    return "";
}

// btrfs has a device number of its own for each subvolume; the mount's source is the disk.
absl::StatusOr<BlockDevice> deviceOfMount(const std::string& path, uint64_t mount_id) {
    const std::string source = sourceOfMount(mount_id);
    struct stat facts {};
    if (!source.starts_with("/") || ::stat(source.c_str(), &facts) != 0 || !S_ISBLK(facts.st_mode))
        return notFound(path + " is on no block device");
    return deviceOf(facts.st_rdev);
}

absl::StatusOr<BlockDevice> parseDevice(const std::string& text) {
    BlockDevice device;
    const char* const end = text.data() + text.size();
    const auto major = std::from_chars(text.data(), end, device.major);
    if (major.ec != std::errc() || major.ptr == end || *major.ptr != ':') return internalError("device " + text);
    if (std::from_chars(major.ptr + 1, end, device.minor).ec != std::errc()) return internalError("device " + text);
    return device;
}

// Limits are set on disks; a partition's directory in sysfs lies in its disk's.
absl::StatusOr<BlockDevice> wholeDisk(const BlockDevice& device) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path directory = fs::canonical("/sys/dev/block/" + device.toString(), error);
    if (error) return errnoStatus(error.value(), "/sys/dev/block/" + device.toString());
    if (!fs::exists(directory / "partition", error)) return device;
    HS_ASSIGN_OR_RETURN(const std::string disk, readFile(directory.parent_path() / "dev"));
    return parseDevice(disk);
}

}  // namespace

absl::StatusOr<BlockDevice> diskOf(const std::string& path) {
    struct statx facts {};
    if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &facts) != 0) return errnoStatus(errno, "statx(" + path + ")");
    BlockDevice device{.major = facts.stx_dev_major, .minor = facts.stx_dev_minor};
    if (device.major == 0) {
        HS_ASSIGN_OR_RETURN(device, deviceOfMount(path, facts.stx_mnt_id));
    }
    return wholeDisk(device);
}

}  // namespace homeslice::sys
