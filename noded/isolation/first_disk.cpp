#include "noded/isolation/first_disk.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <sstream>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::isolation {
namespace {

absl::StatusOr<UniqueFd> openBelow(int root, const std::string& path, uint64_t flags, uint64_t resolve,
                                   uint64_t mode = 0) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve;
    UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
    if (!fd) return errnoStatus(errno, path);
    return fd;
}

std::string hostsFile(const SliverSpec& spec) {
    std::string text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" +
                       spec.home_address.toString() + " " + hostnameOf(spec) + "\n" + spec.slice_address.toString() +
                       " " + spec.id.slice + "\n";
    for (const HostEntry& host : spec.base.hosts) text += host.address.toString() + " " + host.name + "\n";
    return text;
}

std::string resolverFile(const Resolver& resolver) {
    // The resolvers of the machine that built the image are none of ours, and each would cost a time-out.
    std::string text = resolver.servers.empty() ? "# Slices bring their own name servers.\n" : "";
    for (const std::string& server : resolver.servers) text += "nameserver " + server + "\n";
    if (!resolver.search.empty()) text += "search";
    for (const std::string& domain : resolver.search) text += " " + domain;
    return resolver.search.empty() ? text : text + "\n";
}

// The template's files come last: they may replace ours.
std::vector<File> firstFiles(const SliverSpec& spec, bool ahead) {
    std::vector<File> files = nameFiles(spec);
    if (ahead) {
        for (File& file : files) file.content.clear();
    }
    files.insert(files.end(), spec.base.files.begin(), spec.base.files.end());
    return files;
}

// A new upper directory, over an image that shows through.
class Draft {
public:
    static absl::StatusOr<Draft> open(const std::string& path, const std::string& image_rootfs, uint32_t first_id) {
        Draft draft;
        draft.first_id_ = first_id;
        HS_ASSIGN_OR_RETURN(draft.upper_, openFile(path, O_PATH | O_DIRECTORY));
        HS_ASSIGN_OR_RETURN(draft.image_, openFile(image_rootfs, O_PATH | O_DIRECTORY));
        HS_ASSIGN_OR_RETURN(draft.image_path_, pathOf(draft.image_.get()));
        return draft;
    }

    absl::Status add(const File& file) const {
        const size_t slash = file.path.rfind('/');
        HS_ASSIGN_OR_RETURN(const std::string directory, makeDirectory(file.path.substr(0, slash)));
        const std::string name = directory + file.path.substr(slash + 1);
        constexpr uint64_t kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW;
        HS_ASSIGN_OR_RETURN(const UniqueFd fd, openBelow(upper_.get(), name, kFlags, kStrictly, 0600));
        HS_RETURN_IF_ERROR(writeAll(fd.get(), file.content));
        if (::fchown(fd.get(), first_id_, first_id_) != 0) return errnoStatus(errno, "fchown");
        if (::fchmod(fd.get(), file.mode) != 0) return errnoStatus(errno, "fchmod");
        return absl::OkStatus();
    }

private:
    static constexpr uint64_t kStrictly = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

    static absl::StatusOr<std::string> pathOf(int fd) {
        char buffer[PATH_MAX];
        const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), buffer, sizeof buffer);
        if (size < 0) return errnoStatus(errno, "readlink");
        return std::string(buffer, static_cast<size_t>(size));
    }

    // Where `path` leads in the image: relative, with a slash at its end unless empty. Nothing: the image has none.
    absl::StatusOr<std::optional<std::string>> inImage(const std::string& path) const {
        const auto opened = openBelow(image_.get(), path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (errnoOf(opened.status()) == ENOENT) return std::nullopt;
        HS_RETURN_IF_ERROR(opened.status());
        struct stat about {};
        if (::fstat(opened->get(), &about) != 0) return errnoStatus(errno, "fstat");
        if (!S_ISDIR(about.st_mode)) return invalidArgument(path + " is no directory in the image");
        HS_ASSIGN_OR_RETURN(const std::string whole, pathOf(opened->get()));
        const std::string inside = whole.substr(image_path_.size());
        return inside.empty() ? inside : inside.substr(1) + "/";
    }

    // The directory for `path` with all above it, as they look in the image; its name as inImage() gives it.
    absl::StatusOr<std::string> makeDirectory(const std::string& path) const {
        std::string made;
        std::istringstream parts(path);
        for (std::string part; std::getline(parts, part, '/');) {
            if (part.empty()) continue;
            HS_ASSIGN_OR_RETURN(const std::optional<std::string> known, inImage(made + part));
            if (known) {
                // A link may have led anywhere in the image.
                HS_RETURN_IF_ERROR(copyDirectories(*known));
                made = *known;
            } else {
                made += part + "/";
                HS_RETURN_IF_ERROR(makeOne(made, 0755, 0, 0));
            }
        }
        return made;
    }

    // What shows through is the upper directory's owner and mode.
    absl::Status copyDirectories(const std::string& path) const {
        for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
            const std::string directory = path.substr(0, slash + 1);
            struct stat about {};
            if (::fstatat(image_.get(), directory.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) {
                return errnoStatus(errno, "stat " + directory);
            }
            HS_RETURN_IF_ERROR(makeOne(directory, about.st_mode & 07777, about.st_uid, about.st_gid));
        }
        return absl::OkStatus();
    }

    absl::Status makeOne(const std::string& path, mode_t mode, uint32_t uid, uint32_t gid) const {
        if (::mkdirat(upper_.get(), path.c_str(), 0700) != 0) {
            return errno == EEXIST ? absl::OkStatus() : errnoStatus(errno, "mkdir " + path);
        }
        HS_ASSIGN_OR_RETURN(const UniqueFd directory, openBelow(upper_.get(), path, O_RDONLY | O_DIRECTORY, kStrictly));
        if (::fchown(directory.get(), first_id_ + uid, first_id_ + gid) != 0) return errnoStatus(errno, "fchown");
        return ::fchmod(directory.get(), mode) == 0 ? absl::OkStatus() : errnoStatus(errno, "fchmod");
    }

    uint32_t first_id_ = 0;
    UniqueFd upper_;
    UniqueFd image_;
    std::string image_path_;
};

absl::Status makeRootOwned(const std::string& path, uint32_t owner, mode_t mode) {
    HS_RETURN_IF_ERROR(makeDirectories(path));
    if (::chown(path.c_str(), owner, owner) != 0) return errnoStatus(errno, "chown(" + path + ")");
    return ::chmod(path.c_str(), mode) == 0 ? absl::OkStatus() : errnoStatus(errno, "chmod(" + path + ")");
}

}  // namespace

std::string hostnameOf(const SliverSpec& spec) {
    if (!spec.base.hostname.empty()) return spec.base.hostname;
    return spec.id.slice + "-" + std::to_string(spec.id.index);
}

std::vector<File> nameFiles(const SliverSpec& spec) {
    return {{.path = "/etc/hostname", .content = hostnameOf(spec) + "\n"},
            {.path = "/etc/hosts", .content = hostsFile(spec)},
            {.path = "/etc/resolv.conf", .content = resolverFile(spec.base.resolver)}};
}

absl::Status makeFirstDisk(const SliverSpec& spec, const SliverRuntime& runtime, const std::string& image_rootfs,
                           bool ahead) {
    const uint32_t root = runtime.ids.first;
    const std::string upper = runtime.upperDirectory();
    HS_RETURN_IF_ERROR(makeRootOwned(runtime.workDirectory(), root, 0700));
    struct stat info {};
    if (::lstat(upper.c_str(), &info) == 0) return absl::OkStatus();
    const std::string path = runtime.diskDirectory() + "/draft";
    HS_RETURN_IF_ERROR(removeTree(path));
    HS_RETURN_IF_ERROR(makeRootOwned(path, root, 0755));
    {
        HS_ASSIGN_OR_RETURN(const Draft draft, Draft::open(path, image_rootfs, root));
        for (const File& file : firstFiles(spec, ahead)) HS_RETURN_IF_ERROR_CTX(draft.add(file), "file " + file.path);
    }
    return ::rename(path.c_str(), upper.c_str()) == 0 ? absl::OkStatus() : errnoStatus(errno, "rename to " + upper);
}

}  // namespace homeslice::isolation
