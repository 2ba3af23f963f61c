#include "oci/tree_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "oci/limits.h"
#include "oci/member_path.h"

namespace homeslice::oci {
namespace {

constexpr mode_t kPermissions = 07777;
constexpr mode_t kMissingParentMode = 0755;

// A path of `name` in `directory` for calls that have no *at form; the kernel resolves nothing but the last component.
std::string procPath(int directory, const std::string& name) {
    return "/proc/self/fd/" + std::to_string(directory) + "/" + name;
}

// An errno that the archive's content has caused.
absl::Status refusal(int err, const std::string& what) {
    switch (err) {
        case EXDEV:
            return invalidArgument(what + ": a link leads out of the root");
        case ELOOP:
        case ENOTDIR:
        case ENOENT:
        case ENAMETOOLONG:
        case EISDIR:
            return invalidArgument(messageOf(errnoStatus(err, what)));
        default:
            return errnoStatus(err, what);
    }
}

absl::StatusOr<UniqueFd> openBelow(int root, const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const char* name = path.empty() ? "." : path.c_str();
    // EAGAIN: something was renamed somewhere while a link's ".." was resolved, see openat2(2).
    for (int attempts = 64; attempts > 0; --attempts) {
        const auto fd = static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof how));
        if (fd >= 0) return UniqueFd(fd);
        if (errno != EAGAIN) break;
    }
    return errnoStatus(errno, "'" + path + "'");
}

bool isEmptyDirectory(int fd) {
    const int copy = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* dir = copy < 0 ? nullptr : ::fdopendir(copy);
    if (dir == nullptr) return false;
    const Defer close_dir([dir] { ::closedir(dir); });
    while (const dirent* entry = ::readdir(dir)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") return false;
    }
    return true;
}

// How deep a directory lies in the host's tree, for what links may have done to the depth that its name tells.
size_t depthOf(int directory) {
    char path[kMaxPathLength + 1];
    const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(directory)).c_str(), path, sizeof path);
    return size < 0 ? SIZE_MAX : static_cast<size_t>(std::count(path, path + size, '/'));
}

std::array<timespec, 2> timesOf(archive_entry* entry) {
    std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, timespec{0, UTIME_OMIT}};
    if (archive_entry_atime_is_set(entry) != 0) {
        times[0] = {archive_entry_atime(entry), archive_entry_atime_nsec(entry)};
    }
    if (archive_entry_mtime_is_set(entry) != 0) {
        times[1] = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
    }
    return times;
}

absl::Status writeAt(int fd, std::string_view data, int64_t offset) {
    while (!data.empty()) {
        const ssize_t n = ::pwrite(fd, data.data(), data.size(), offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errnoStatus(errno, "write");
        data.remove_prefix(static_cast<size_t>(n));
        offset += n;
    }
    return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TreeWriter> TreeWriter::open(const std::string& root, TreeRules rules) {
    HS_ASSIGN_OR_RETURN(UniqueFd fd, openFile(root, O_RDONLY | O_DIRECTORY));
    if (!isEmptyDirectory(fd.get())) return failedPrecondition(root + " is not empty");
    return TreeWriter(std::move(fd), std::move(rules));
}

absl::Status TreeWriter::add(TarReader& tar, archive_entry* entry, const std::string& path) {
    if (path.empty()) {
        if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) != AE_IFDIR) {
            return invalidArgument("the root is not a directory");
        }
        directory_times_.emplace_back(path, timesOf(entry));
        return setAttributes(entry, root_.get(), ".");
    }
    HS_ASSIGN_OR_RETURN(const int parent, parentDirectory(parentOf(path)));
    const std::string name = baseOf(path);
    if (archive_entry_hardlink(entry) != nullptr) return addHardLink(entry, parent, name);
    switch (archive_entry_filetype(entry)) {
        case AE_IFREG:
            return addFile(tar, entry, parent, name);
        case AE_IFDIR:
            return addDirectory(entry, parent, path);
        case AE_IFLNK:
            return addSymlink(entry, parent, name);
        case AE_IFIFO:
        case AE_IFCHR:
        case AE_IFBLK:
            return addNode(entry, parent, name);
        case AE_IFSOCK:
            return absl::OkStatus();
        default:
            return invalidArgument("'" + path + "' is of no known type");
    }
}

absl::Status TreeWriter::remove(const std::string& path) {
    const auto parent = openDirectory(parentOf(path));
    if (!parent.ok()) {
        const int err = errnoOf(parent.status());
        return err == ENOENT || err == ENOTDIR ? absl::OkStatus() : refusal(err, "'" + path + "'");
    }
    return removeAt(parent->get(), baseOf(path));
}

absl::Status TreeWriter::clear(const std::string& path) {
    auto directory = openDirectory(path);
    if (!directory.ok()) {
        const int err = errnoOf(directory.status());
        return err == ENOENT || err == ENOTDIR ? absl::OkStatus() : refusal(err, "'" + path + "'");
    }
    DIR* dir = ::fdopendir(directory->get());
    if (dir == nullptr) return errnoStatus(errno, "fdopendir");
    directory->release();
    const Defer close_dir([dir] { ::closedir(dir); });
    while (const dirent* entry = ::readdir(dir)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") HS_RETURN_IF_ERROR(removeAt(::dirfd(dir), name));
    }
    return absl::OkStatus();
}

absl::Status TreeWriter::finish() {
    for (const auto& [path, times] : directory_times_) {
        const auto directory = openDirectory(path);
        // A later member may have put something else in its place.
        if (!directory.ok()) continue;
        if (::futimens(directory->get(), times.data()) != 0)
            return errnoStatus(errno, "set the times of '" + path + "'");
    }
    directory_times_.clear();
    return absl::OkStatus();
}

absl::StatusOr<UniqueFd> TreeWriter::openDirectory(const std::string& path) const {
    return openBelow(root_.get(), path);
}

absl::StatusOr<UniqueFd> TreeWriter::makeDirectory(const std::string& path) {
    auto directory = openDirectory(path);
    if (directory.ok() || path.empty()) return directory;
    if (const int err = errnoOf(directory.status()); err != ENOENT) return refusal(err, "'" + path + "'");
    HS_ASSIGN_OR_RETURN(const UniqueFd parent, makeDirectory(parentOf(path)));
    const std::string name = baseOf(path);
    if (::mkdirat(parent.get(), name.c_str(), kMissingParentMode) == 0) {
        if (::fchownat(parent.get(), name.c_str(), rules_.first_id, rules_.first_id, AT_SYMLINK_NOFOLLOW) != 0 ||
            ::fchmodat(parent.get(), name.c_str(), kMissingParentMode, 0) != 0) {
            return errnoStatus(errno, "make '" + path + "'");
        }
    } else if (errno != EEXIST) {
        return refusal(errno, "make '" + path + "'");
    }
    directory = openDirectory(path);
    if (!directory.ok()) return refusal(errnoOf(directory.status()), "'" + path + "'");
    return directory;
}

absl::StatusOr<int> TreeWriter::parentDirectory(const std::string& path) {
    if (parent_.valid() && parent_path_ == path) return parent_.get();
    HS_ASSIGN_OR_RETURN(UniqueFd directory, makeDirectory(path));
    if (depthOf(directory.get()) > depthOf(root_.get()) + kMaxPathDepth) {
        return invalidArgument("'" + path + "' lies too deep");
    }
    parent_ = std::move(directory);
    parent_path_ = path;
    return parent_.get();
}

absl::Status TreeWriter::removeAt(int parent, const std::string& name) {
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? absl::OkStatus() : refusal(errno, "'" + name + "'");
    }
    // What goes may be, or be on the way to, the directory that is held open.
    if (!S_ISREG(info.st_mode)) parent_path_.assign(1, '/');
    return removeTree(procPath(parent, name));
}

absl::Status TreeWriter::replacing(int parent, const std::string& name, const std::function<int()>& make) {
    if (make() == 0) return absl::OkStatus();
    if (errno != EEXIST) return refusal(errno, "make '" + name + "'");
    HS_RETURN_IF_ERROR(removeAt(parent, name));
    return make() == 0 ? absl::OkStatus() : refusal(errno, "make '" + name + "'");
}

absl::Status TreeWriter::addHardLink(archive_entry* entry, int parent, const std::string& name) {
    HS_ASSIGN_OR_RETURN(const std::string target, memberPath(archive_entry_hardlink(entry)));
    auto target_parent = openDirectory(parentOf(target));
    const std::string what = "hard link to '" + target + "'";
    if (!target_parent.ok()) return refusal(errnoOf(target_parent.status()), what);
    const std::string target_name = baseOf(target);
    struct stat info {};
    if (::fstatat(target_parent->get(), target_name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return refusal(errno, what);
    }
    if (S_ISDIR(info.st_mode)) return invalidArgument(what + ", a directory");
    return replacing(parent, name,
                     [&] { return ::linkat(target_parent->get(), target_name.c_str(), parent, name.c_str(), 0); });
}

absl::Status TreeWriter::addFile(TarReader& tar, archive_entry* entry, int parent, const std::string& name) {
    UniqueFd file;
    HS_RETURN_IF_ERROR(replacing(parent, name, [&] {
        file.reset(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        return file.valid() ? 0 : -1;
    }));
    const int64_t size = archive_entry_size(entry);
    int64_t end = 0;
    for (;;) {
        HS_ASSIGN_OR_RETURN(const std::optional<TarReader::Block> block, tar.nextBlock());
        if (!block) break;
        const auto length = static_cast<int64_t>(block->data.size());
        if (block->offset < end || length > size - block->offset) {
            return invalidArgument("'" + name + "' has content beyond its size");
        }
        HS_RETURN_IF_ERROR_CTX(writeAt(file.get(), block->data, block->offset), "'" + name + "'");
        end = block->offset + length;
    }
    if (end < size && ::ftruncate(file.get(), size) != 0) return errnoStatus(errno, "set the size of '" + name + "'");
    return setAttributes(entry, parent, name);
}

absl::Status TreeWriter::addDirectory(archive_entry* entry, int parent, const std::string& path) {
    const std::string name = baseOf(path);
    struct stat info {};
    const bool kept = ::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
    if (!kept) {
        HS_RETURN_IF_ERROR(replacing(parent, name, [&] { return ::mkdirat(parent, name.c_str(), 0700); }));
    }
    directory_times_.emplace_back(path, timesOf(entry));
    return setAttributes(entry, parent, name);
}

absl::Status TreeWriter::addSymlink(archive_entry* entry, int parent, const std::string& name) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr || *target == '\0') return invalidArgument("the symbolic link '" + name + "' has no target");
    HS_RETURN_IF_ERROR(replacing(parent, name, [&] { return ::symlinkat(target, parent, name.c_str()); }));
    return setAttributes(entry, parent, name);
}

absl::Status TreeWriter::addNode(archive_entry* entry, int parent, const std::string& name) {
    const mode_t type = archive_entry_filetype(entry);
    if (type != AE_IFIFO) {
        if (rules_.devices == Devices::left_out) return absl::OkStatus();
        if (type != AE_IFCHR || archive_entry_rdev(entry) != 0) {
            return invalidArgument("'" + name + "' is a device node");
        }
    }
    HS_RETURN_IF_ERROR(replacing(parent, name, [&] { return ::mknodat(parent, name.c_str(), type | 0600, 0); }));
    return setAttributes(entry, parent, name);
}

absl::Status TreeWriter::setAttributes(archive_entry* entry, int parent, const std::string& name) {
    const int64_t uid = archive_entry_uid(entry);
    const int64_t gid = archive_entry_gid(entry);
    if (uid < 0 || gid < 0 || uid >= rules_.ids || gid >= rules_.ids) {
        return invalidArgument("'" + name + "' has an owner out of range");
    }
    const char* path = name.c_str();
    // In this order: a change of owner clears set-user-ID bits and capabilities, and anything may change the times.
    if (::fchownat(parent, path, static_cast<uid_t>(rules_.first_id + uid), static_cast<gid_t>(rules_.first_id + gid),
                   AT_SYMLINK_NOFOLLOW) != 0) {
        return errnoStatus(errno, "chown '" + name + "'");
    }
    HS_RETURN_IF_ERROR(setXattrs(entry, parent, name));
    if (archive_entry_filetype(entry) != AE_IFLNK &&
        ::fchmodat(parent, path, archive_entry_perm(entry) & kPermissions, 0) != 0) {
        return errnoStatus(errno, "chmod '" + name + "'");
    }
    if (::utimensat(parent, path, timesOf(entry).data(), AT_SYMLINK_NOFOLLOW) != 0) {
        return errnoStatus(errno, "set the times of '" + name + "'");
    }
    return absl::OkStatus();
}

absl::Status TreeWriter::setXattrs(archive_entry* entry, int parent, const std::string& name) {
    if (!rules_.keep_xattr || archive_entry_xattr_reset(entry) == 0) return absl::OkStatus();
    const mode_t type = archive_entry_filetype(entry);
    const bool may_have_user = type == AE_IFREG || type == AE_IFDIR;  // xattr(7)
    const char* key = nullptr;
    const void* data = nullptr;
    size_t size = 0;
    while (archive_entry_xattr_next(entry, &key, &data, &size) == ARCHIVE_OK) {
        if (key == nullptr || (!may_have_user && std::string_view(key).starts_with("user."))) continue;
        std::string value(static_cast<const char*>(data), size);
        if (!rules_.keep_xattr(key, value)) continue;
        if (::lsetxattr(procPath(parent, name).c_str(), key, value.data(), value.size(), 0) != 0) {
            return refusal(errno, "set xattr " + std::string(key) + " of '" + name + "'");
        }
    }
    return absl::OkStatus();
}

}  // namespace homeslice::oci
