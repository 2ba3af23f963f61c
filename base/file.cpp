#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/defer.h"
#include "base/status.h"

namespace homeslice {
namespace {

absl::Status syncDirectoryOf(const std::string& path) {
    const std::string parent = std::filesystem::path(path).parent_path().string();
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY));
    if (::fsync(fd.get()) != 0) return errnoStatus(errno, "fsync(" + parent + ")");
    return absl::OkStatus();
}

// Empties the directory behind `fd` (which it takes over), never leaving the file system `device`.
absl::Status emptyDirectory(UniqueFd fd, dev_t device, const std::string& path) {
    DIR* dir = ::fdopendir(fd.get());
    if (dir == nullptr) return errnoStatus(errno, "fdopendir(" + path + ")");
    fd.release();
    const Defer close_dir([dir] { ::closedir(dir); });
    const int dir_fd = ::dirfd(dir);
    while (const dirent* entry = ::readdir(dir)) {
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        const std::string child = path + "/" + name;
        struct stat info {};
        if (::fstatat(dir_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) continue;
            return errnoStatus(errno, "stat(" + child + ")");
        }
        if (info.st_dev != device) return errnoStatus(EBUSY, "remove " + child + ", which is a mount point");
        if (S_ISDIR(info.st_mode)) {
            UniqueFd child_fd(::openat(dir_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (!child_fd.valid()) return errnoStatus(errno, "open(" + child + ")");
            HS_RETURN_IF_ERROR(emptyDirectory(std::move(child_fd), device, child));
        }
        if (::unlinkat(dir_fd, name.c_str(), S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT) {
            return errnoStatus(errno, "unlink(" + child + ")");
        }
    }
    return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> openFile(const std::string& path, int flags, unsigned mode) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd.valid()) return errnoStatus(errno, "open(" + path + ")");
    return fd;
}

absl::StatusOr<std::string> readAll(int fd) {
    std::string data;
    char buffer[16384];
    for (;;) {
        const ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n == 0) return data;
        if (n > 0) {
            data.append(buffer, static_cast<size_t>(n));
        } else if (errno != EINTR) {
            return errnoStatus(errno, "read");
        }
    }
}

absl::StatusOr<std::string> readFile(const std::string& path) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(path, O_RDONLY));
    HS_ASSIGN_OR_RETURN_CTX(std::string data, readAll(fd.get()), path);
    return data;
}

absl::Status writeAll(int fd, const std::string& data) {
    size_t done = 0;
    while (done < data.size()) {
        const ssize_t n = ::write(fd, data.data() + done, data.size() - done);
        if (n >= 0) {
            done += static_cast<size_t>(n);
        } else if (errno != EINTR) {
            return errnoStatus(errno, "write");
        }
    }
    return absl::OkStatus();
}

absl::Status writeControlFile(const std::string& path, const std::string& data) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(path, O_WRONLY));
    if (::write(fd.get(), data.data(), data.size()) != static_cast<ssize_t>(data.size())) {
        return errnoStatus(errno, "write '" + data + "' to " + path);
    }
    return absl::OkStatus();
}

absl::Status replaceFile(const std::string& path, const std::string& data, unsigned mode) {
    const std::string temporary = path + ".new";
    Defer remove_temporary([&temporary] { ::unlink(temporary.c_str()); });
    {
        HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode));
        HS_RETURN_IF_ERROR_CTX(writeAll(fd.get(), data), temporary);
        if (::fsync(fd.get()) != 0) return errnoStatus(errno, "fsync(" + temporary + ")");
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) return errnoStatus(errno, "rename to " + path);
    remove_temporary.dismiss();
    return syncDirectoryOf(path);
}

absl::Status makeDirectories(const std::string& path, unsigned mode) {
    // Nearly always all above it is there.
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return absl::OkStatus();
    std::string partial;
    for (const auto& part : std::filesystem::path(path)) {
        partial = partial.empty() ? part.string() : (std::filesystem::path(partial) / part).string();
        if (::mkdir(partial.c_str(), mode) != 0 && errno != EEXIST) {
            return errnoStatus(errno, "mkdir(" + partial + ")");
        }
    }
    return absl::OkStatus();
}

absl::Status removeTree(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        return errno == ENOENT ? absl::OkStatus() : errnoStatus(errno, "stat(" + path + ")");
    }
    if (!S_ISDIR(info.st_mode)) {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errnoStatus(errno, "unlink(" + path + ")");
        return absl::OkStatus();
    }
    HS_ASSIGN_OR_RETURN(UniqueFd fd, openFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    HS_RETURN_IF_ERROR(emptyDirectory(std::move(fd), info.st_dev, path));
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return errnoStatus(errno, "rmdir(" + path + ")");
    return absl::OkStatus();
}

}  // namespace homeslice
