#include "noded/sys/disk_image.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/mount.h"
#include "noded/sys/program.h"

// linux/ext4.h, which is not among the kernel's exported headers before 6.x.
#ifndef EXT4_IOC_RESIZE_FS
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)
#endif

namespace homeslice::sys {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;
constexpr uint64_t kBlock = 4096;
constexpr uint64_t kBytesPerInode = 16384;
constexpr uint64_t kInodeSize = 256;
constexpr uint64_t kJournal = 4 * kMebibyte;  // the smallest with blocks of this size

// What the file system needs for itself comes on top: inodes, journal, bitmaps and group descriptors.
uint64_t imageSize(uint64_t bytes) {
    const uint64_t size = bytes + bytes / (kBytesPerInode / kInodeSize) + bytes / 1024 + kJournal + kMebibyte;
    return size / kMebibyte * kMebibyte;
}

absl::Status setFileSize(const std::string& path, uint64_t size) {
    HS_ASSIGN_OR_RETURN(const UniqueFd file, openFile(path, O_WRONLY | O_NOFOLLOW));
    if (::ftruncate(file.get(), static_cast<off_t>(size)) == 0) return absl::OkStatus();
    return errnoStatus(errno, "ftruncate(" + path + ")");
}

absl::Status growFile(const std::string& path, uint64_t size) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) return errnoStatus(errno, "stat(" + path + ")");
    return static_cast<uint64_t>(about.st_size) >= size ? absl::OkStatus() : setFileSize(path, size);
}

// Of the file system, which may be smaller than its file.
absl::StatusOr<uint64_t> fileSystemSize(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const UniqueFd file, openFile(path, O_RDONLY | O_NOFOLLOW));
    // ext4/globals: the superblock is at 1024; s_blocks_count_lo at 4, s_log_block_size at 0x18, s_blocks_count_hi at
    // 0x150 in it. The machine is little endian, as ext4 is.
    constexpr off_t kSuperblock = 1024;
    unsigned char block[1024] = {};
    if (::pread(file.get(), block, sizeof(block), kSuperblock) != static_cast<ssize_t>(sizeof(block))) {
        return dataLoss(path + " is no disk image");
    }
    uint32_t low = 0;
    uint32_t high = 0;
    uint32_t log_block_size = 0;
    std::memcpy(&low, block + 4, sizeof(low));
    std::memcpy(&log_block_size, block + 0x18, sizeof(log_block_size));
    std::memcpy(&high, block + 0x150, sizeof(high));
    constexpr uint32_t kLargestLog = 6;
    if (log_block_size > kLargestLog) return dataLoss(path + " is no disk image");
    return ((uint64_t{high} << 32) | low) * (uint64_t{1024} << log_block_size);
}

absl::StatusOr<UniqueFd> openLoopDevice(long number) {
    const std::string path = "/dev/loop" + std::to_string(number);
    auto device = openFile(path, O_RDWR);
    if (errnoOf(device.status()) != ENOENT) return device;
    constexpr unsigned kLoopMajor = 7;  // devices.txt
    if (::mknod(path.c_str(), S_IFBLK | 0600, makedev(kLoopMajor, static_cast<unsigned>(number))) != 0) {
        return errnoStatus(errno, "mknod(" + path + ")");
    }
    return openFile(path, O_RDWR);
}

struct LoopDevice {
    UniqueFd fd;
    std::string path;
};

absl::StatusOr<LoopDevice> attachLoopDevice(const std::string& image) {
    constexpr int kAttempts = 64;  // another may take a free device first
    HS_ASSIGN_OR_RETURN(const UniqueFd control, openFile("/dev/loop-control", O_RDWR));
    HS_ASSIGN_OR_RETURN(const UniqueFd file, openFile(image, O_RDWR | O_NOFOLLOW));
    loop_config config{};
    config.fd = static_cast<uint32_t>(file.get());
    config.block_size = kBlock;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0) return errnoStatus(errno, "LOOP_CTL_GET_FREE");
        HS_ASSIGN_OR_RETURN(UniqueFd device, openLoopDevice(number));
        if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
            return LoopDevice{.fd = std::move(device), .path = "/dev/loop" + std::to_string(number)};
        }
        if (errno != EBUSY) return errnoStatus(errno, "LOOP_CONFIGURE for " + image);
    }
    return unavailable("no loop device is free for " + image);
}

// The loop device that the file system at `mount_point` is on.
absl::StatusOr<UniqueFd> loopDeviceOf(const std::string& mount_point) {
    struct stat about {};
    if (::stat(mount_point.c_str(), &about) != 0) return errnoStatus(errno, "stat(" + mount_point + ")");
    return openFile("/dev/loop" + std::to_string(minor(about.st_dev)), O_RDWR);
}

}  // namespace

absl::Status makeDiskImage(const std::string& path, uint64_t bytes) {
    const std::string draft = path + ".draft";
    HS_RETURN_IF_ERROR(removeTree(draft));
    { HS_ASSIGN_OR_RETURN(const UniqueFd file, openFile(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600)); }
    HS_RETURN_IF_ERROR(setFileSize(draft, imageSize(bytes)));
    HS_RETURN_IF_ERROR(
        runProgram({"mkfs.ext4", "-q", "-F", "-m", "0", "-b", std::to_string(kBlock), "-I", std::to_string(kInodeSize),
                    "-i", std::to_string(kBytesPerInode), "-J", "size=" + std::to_string(kJournal / kMebibyte), "-O",
                    "^resize_inode,meta_bg", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", draft}));
    if (::rename(draft.c_str(), path.c_str()) == 0) return absl::OkStatus();
    return errnoStatus(errno, "rename to " + path);
}

absl::StatusOr<uint64_t> diskImageSize(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const uint64_t size, fileSystemSize(path));
    // imageSize() turned round; a mebibyte more or less for its rounding.
    const uint64_t payload = size > kJournal + kMebibyte ? size - kJournal - kMebibyte : 0;
    return payload / (1024 + 1024 / (kBytesPerInode / kInodeSize) + 1) * 1024;
}

absl::Status growDiskImage(const std::string& path, uint64_t bytes) {
    HS_ASSIGN_OR_RETURN(const uint64_t size, fileSystemSize(path));
    if (size >= imageSize(bytes)) return absl::OkStatus();
    HS_RETURN_IF_ERROR(growFile(path, imageSize(bytes)));
    constexpr int kCorrected = 1;  // e2fsck(8)
    HS_RETURN_IF_ERROR(runProgram({"e2fsck", "-f", "-p", path}, kCorrected));
    return runProgram({"resize2fs", path});
}

absl::Status growMountedDiskImage(const std::string& path, const std::string& mount_point, uint64_t bytes) {
    HS_ASSIGN_OR_RETURN(const uint64_t size, fileSystemSize(path));
    if (size >= imageSize(bytes)) return absl::OkStatus();
    HS_RETURN_IF_ERROR(growFile(path, imageSize(bytes)));
    HS_ASSIGN_OR_RETURN(const UniqueFd device, loopDeviceOf(mount_point));
    if (::ioctl(device.get(), LOOP_SET_CAPACITY, 0) != 0) return errnoStatus(errno, "LOOP_SET_CAPACITY");
    HS_ASSIGN_OR_RETURN(const UniqueFd root, openFile(mount_point, O_RDONLY | O_DIRECTORY));
    const uint64_t blocks = imageSize(bytes) / kBlock;
    if (::ioctl(root.get(), EXT4_IOC_RESIZE_FS, &blocks) == 0) return absl::OkStatus();
    if (errno == EPERM) {
        return permissionDenied("a disk that is in use cannot be grown on this node, which lacks CAP_SYS_RESOURCE");
    }
    return errnoStatus(errno, "grow the file system of " + path);
}

absl::StatusOr<UniqueFd> mountDiskImage(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const LoopDevice device, attachLoopDevice(path));
    return makeFileSystem("ext4", {{"source", device.path}}, kMountNoDev | kMountNoSuid);
}

}  // namespace homeslice::sys
