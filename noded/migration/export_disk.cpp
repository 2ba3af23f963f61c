#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "noded/migration/disk.h"
#include "noded/migration/id_xattrs.h"

namespace homeslice::migration {
namespace {

constexpr size_t kBufferSize = size_t{1} << 20;

struct FreeWriter {
    void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

// For calls that have no *at form.
std::string procPath(int directory, const std::string& name) {
    return "/proc/self/fd/" + std::to_string(directory) + "/" + name;
}

absl::StatusOr<std::vector<std::string>> sortedNames(int directory) {
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* dir = copy < 0 ? nullptr : ::fdopendir(copy);
    if (dir == nullptr) return errnoStatus(errno, "list");
    const Defer close_dir([dir] { ::closedir(dir); });
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(dir);
        if (entry == nullptr && errno != 0) return errnoStatus(errno, "list");
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

absl::StatusOr<std::string> readXattr(const std::string& path, const std::string& name) {
    std::string value(XATTR_SIZE_MAX, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (size < 0) return errnoStatus(errno, "read xattr " + name);
    value.resize(static_cast<size_t>(size));
    return value;
}

absl::Status addXattrs(const std::string& path, uint32_t first_id, archive_entry* entry) {
    std::string names(XATTR_LIST_MAX, '\0');
    const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
    if (size < 0) return errno == EOPNOTSUPP ? absl::OkStatus() : errnoStatus(errno, "list xattrs");
    names.resize(static_cast<size_t>(size));
    for (size_t start = 0; start < names.size();) {
        const std::string name = names.c_str() + start;
        start += name.size() + 1;
        if (!isDiskXattr(name)) continue;
        HS_ASSIGN_OR_RETURN(std::string value, readXattr(path, name));
        idsToSliver(name, value, first_id);
        archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), value.size());
    }
    return absl::OkStatus();
}

class Exporter {
public:
    Exporter(uint32_t first_id, int fd) : first_id_(first_id) {
        archive_write_set_format_pax(writer_.get());
        // Names are bytes, not text of some character set.
        archive_write_set_format_option(writer_.get(), "pax", "hdrcharset", "BINARY");
        // No padding that the reader would leave in the pipe.
        archive_write_set_bytes_in_last_block(writer_.get(), 1);
        archive_write_open_fd(writer_.get(), fd);
    }

    absl::Status run(const std::string& root) {
        HS_ASSIGN_OR_RETURN(const UniqueFd directory, openFile(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        HS_RETURN_IF_ERROR(addChildren(directory.get(), ""));
        HS_RETURN_IF_ERROR(addMember(directory.get(), ".", "./"));
        return archive_write_close(writer_.get()) == ARCHIVE_OK ? absl::OkStatus() : failure("finish");
    }

private:
    absl::Status addChildren(int directory, const std::string& prefix) {
        HS_ASSIGN_OR_RETURN_CTX(const std::vector<std::string> names, sortedNames(directory), prefix);
        for (const std::string& name : names) {
            HS_RETURN_IF_ERROR_CTX(addMember(directory, name, prefix + name), prefix + name);
        }
        return absl::OkStatus();
    }

    absl::Status addMember(int directory, const std::string& name, const std::string& path) {
        struct stat info {};
        if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errnoStatus(errno, "stat");
        if (S_ISSOCK(info.st_mode)) return absl::OkStatus();
        const bool is_whiteout = S_ISCHR(info.st_mode) && info.st_rdev == 0;
        if (S_ISBLK(info.st_mode) || (S_ISCHR(info.st_mode) && !is_whiteout)) {
            return failedPrecondition("a device node cannot move with a sliver");
        }
        // Overlay links its whiteouts to each other; that tells nothing about the sliver's files.
        if (info.st_nlink > 1 && !S_ISDIR(info.st_mode) && !is_whiteout) {
            const auto [first, is_new] = linked_.try_emplace({info.st_dev, info.st_ino}, path);
            if (!is_new) return addHardLink(path, first->second, info);
        }
        HS_ASSIGN_OR_RETURN(const Entry entry, describe(directory, name, path, info));
        if (S_ISREG(info.st_mode)) return addFile(directory, name, entry.get(), info.st_size);
        HS_RETURN_IF_ERROR(addHeader(entry.get()));
        // The root's children came before it.
        return S_ISDIR(info.st_mode) && name != "." ? descend(directory, name, path) : absl::OkStatus();
    }

    absl::Status descend(int directory, const std::string& name, const std::string& path) {
        const UniqueFd child(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!child.valid()) return errnoStatus(errno, "open");
        return addChildren(child.get(), path + "/");
    }

    absl::StatusOr<Entry> describe(int directory, const std::string& name, const std::string& path,
                                   const struct stat& info) const {
        Entry entry(archive_entry_new());
        archive_entry_set_pathname(entry.get(), path.c_str());
        archive_entry_set_filetype(entry.get(), info.st_mode & S_IFMT);
        archive_entry_set_perm(entry.get(), info.st_mode & 07777U);
        archive_entry_set_uid(entry.get(), toSliverId(info.st_uid, first_id_));
        archive_entry_set_gid(entry.get(), toSliverId(info.st_gid, first_id_));
        archive_entry_set_mtime(entry.get(), info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
        archive_entry_set_atime(entry.get(), info.st_atim.tv_sec, info.st_atim.tv_nsec);
        archive_entry_set_size(entry.get(), S_ISREG(info.st_mode) ? info.st_size : 0);
        if (S_ISLNK(info.st_mode)) {
            std::string target(PATH_MAX, '\0');
            const ssize_t size = ::readlinkat(directory, name.c_str(), target.data(), target.size());
            if (size < 0) return errnoStatus(errno, "read the link");
            target.resize(static_cast<size_t>(size));
            archive_entry_set_symlink(entry.get(), target.c_str());
        }
        HS_RETURN_IF_ERROR(addXattrs(procPath(directory, name), first_id_, entry.get()));
        return entry;
    }

    absl::Status addHardLink(const std::string& path, const std::string& first, const struct stat& info) {
        const Entry entry(archive_entry_new());
        archive_entry_set_pathname(entry.get(), path.c_str());
        archive_entry_set_filetype(entry.get(), info.st_mode & S_IFMT);
        archive_entry_set_hardlink(entry.get(), first.c_str());
        archive_entry_set_size(entry.get(), 0);
        return addHeader(entry.get());
    }

    absl::Status addFile(int directory, const std::string& name, archive_entry* entry, off_t size) {
        // A pipe that took the file's place meanwhile would keep the export waiting for a writer.
        const UniqueFd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (!file.valid()) return errnoStatus(errno, "open");
        struct stat opened {};
        if (::fstat(file.get(), &opened) != 0) return errnoStatus(errno, "fstat");
        if (!S_ISREG(opened.st_mode)) return aborted("became another kind of file while it was read");
        const auto extents = addExtents(file.get(), size, entry);
        HS_RETURN_IF_ERROR(addHeader(entry));
        off_t offset = 0;
        for (const auto& [start, end] : extents) {
            HS_RETURN_IF_ERROR(writeHole(start - offset));
            HS_RETURN_IF_ERROR(writeContent(file.get(), start, end));
            offset = end;
        }
        return writeHole(size - offset);
    }

    // Where the file has data; marks it so in `entry` if there are holes.
    static std::vector<std::pair<off_t, off_t>> addExtents(int file, off_t size, archive_entry* entry) {
        std::vector<std::pair<off_t, off_t>> extents;
        for (off_t end = 0; end < size;) {
            const off_t start = ::lseek(file, end, SEEK_DATA);
            if (start < 0 || start >= size) break;
            const off_t hole = ::lseek(file, start, SEEK_HOLE);
            end = hole < 0 ? size : std::min(hole, size);
            extents.emplace_back(start, end);
        }
        const bool is_dense = extents.size() == 1 && extents[0] == std::pair<off_t, off_t>(0, size);
        for (const auto& [start, end] : extents) {
            if (!is_dense) archive_entry_sparse_add_entry(entry, start, end - start);
        }
        if (extents.empty() && size > 0) archive_entry_sparse_add_entry(entry, size, 0);
        return extents;
    }

    absl::Status writeContent(int file, off_t offset, off_t end) {
        while (offset < end) {
            const size_t wanted = std::min(buffer_.size(), static_cast<size_t>(end - offset));
            const ssize_t n = ::pread(file, buffer_.data(), wanted, offset);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errnoStatus(errno, "read");
            if (n == 0) return aborted("became shorter while it was read");
            HS_RETURN_IF_ERROR(addData(buffer_.data(), static_cast<size_t>(n)));
            offset += n;
        }
        return absl::OkStatus();
    }

    // libarchive wants a sparse file's zeros too, and drops them.
    absl::Status writeHole(off_t size) {
        for (; size > 0; size -= static_cast<off_t>(std::min(zeros_.size(), static_cast<size_t>(size)))) {
            HS_RETURN_IF_ERROR(addData(zeros_.data(), std::min(zeros_.size(), static_cast<size_t>(size))));
        }
        return absl::OkStatus();
    }

    absl::Status addHeader(archive_entry* entry) {
        const int result = archive_write_header(writer_.get(), entry);
        return result == ARCHIVE_OK ? absl::OkStatus() : failure("write");
    }

    absl::Status addData(const char* data, size_t size) {
        return archive_write_data(writer_.get(), data, size) >= 0 ? absl::OkStatus() : failure("write");
    }

    absl::Status failure(const char* what) const {
        const int err = archive_errno(writer_.get());
        if (err > 0) return errnoStatus(err, what);
        const char* reason = archive_error_string(writer_.get());
        return internalError(std::string(what) + ": " + (reason != nullptr ? reason : "unknown error"));
    }

    uint32_t first_id_;
    std::unique_ptr<archive, FreeWriter> writer_{archive_write_new()};
    std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // the first path of each file with several
    std::vector<char> buffer_ = std::vector<char>(kBufferSize);
    const std::vector<char> zeros_ = std::vector<char>(kBufferSize);
};

}  // namespace

absl::Status exportDisk(const std::string& upper_directory, uint32_t first_id, int fd) {
    return withContext(Exporter(first_id, fd).run(upper_directory), "pack " + upper_directory);
}

}  // namespace homeslice::migration
