#include "noded/sys/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

static_assert(kMountReadOnly == MOUNT_ATTR_RDONLY && kMountNoSuid == MOUNT_ATTR_NOSUID);
static_assert(kMountNoDev == MOUNT_ATTR_NODEV && kMountNoExec == MOUNT_ATTR_NOEXEC);

// fsopen(2), configure, create, fsmount(2): one file system on its way to a detached mount.
class FsContext {
public:
    static absl::StatusOr<FsContext> open(const std::string& type) {
        FsContext context(type, UniqueFd(::fsopen(type.c_str(), FSOPEN_CLOEXEC)));
        if (!context.fd_) return errnoStatus(errno, "fsopen(" + type + ")");
        return context;
    }

    absl::Status setString(const std::string& key, const std::string& value) {
        if (value.empty()) return call(FSCONFIG_SET_FLAG, key, nullptr, 0);
        return call(FSCONFIG_SET_STRING, key, value.c_str(), 0);
    }
    absl::Status setDescriptor(const std::string& key, int fd) { return call(FSCONFIG_SET_FD, key, nullptr, fd); }

    absl::StatusOr<UniqueFd> mount(uint64_t attributes) {
        if (::fsconfig(fd_.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) return failure(errno, "create");
        UniqueFd mount_fd(::fsmount(fd_.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)));
        if (!mount_fd) return failure(errno, "fsmount");
        return mount_fd;
    }

private:
    FsContext(std::string type, UniqueFd fd) : type_(std::move(type)), fd_(std::move(fd)) {}

    absl::Status call(fsconfig_command command, const std::string& key, const char* value, int aux) {
        if (::fsconfig(fd_.get(), command, key.c_str(), value, aux) == 0) return absl::OkStatus();
        return failure(errno, key);
    }

    // The context's log says in words what an EINVAL means.
    absl::Status failure(int err, const std::string& what) {
        std::string text = "mount(" + type_ + "): " + what;
        char line[256];
        for (ssize_t n; (n = ::read(fd_.get(), line, sizeof(line))) > 0;) {
            text += ": " + std::string(line, static_cast<size_t>(n));
            while (!text.empty() && text.back() == '\n') text.pop_back();
        }
        return errnoStatus(err, text);
    }

    std::string type_;
    UniqueFd fd_;
};

// The name of a descriptor's file, short enough for every option's limit of 256 bytes.
std::string descriptorPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// A descriptor from open_tree(2) is O_PATH; some calls want the directory really opened.
absl::StatusOr<UniqueFd> openDirectoryAt(int fd, const std::string& name) {
    UniqueFd directory(::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return errnoStatus(errno, "open of an overlay layer: " + name);
    return directory;
}

absl::Status checkOverlay(const Overlay& overlay) {
    if (overlay.lower.empty()) return invalidArgument("an overlay needs a lower layer");
    if (std::filesystem::path(overlay.upper).parent_path() == std::filesystem::path(overlay.work).parent_path()) {
        return absl::OkStatus();
    }
    return invalidArgument("an overlay's upper and work directories stand side by side");
}

// Mounts that are visible at temporary directories for as long as this lives.
class AttachedLayers {
public:
    explicit AttachedLayers(std::string scratch) : scratch_(std::move(scratch)) {}
    AttachedLayers(const AttachedLayers&) = delete;
    AttachedLayers& operator=(const AttachedLayers&) = delete;
    ~AttachedLayers() {
        for (const std::string& place : places_) {
            ::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
            ::rmdir(place.c_str());
        }
    }

    absl::StatusOr<UniqueFd> attach(int layer) {
        std::string place = scratch_ + "/layer.XXXXXX";
        if (::mkdtemp(place.data()) == nullptr) return errnoStatus(errno, "mkdtemp " + place);
        places_.push_back(place);
        UniqueFd clone(::open_tree(layer, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
        // Before Linux 6.15 a detached tree cannot be cloned: the layer itself is attached then.
        HS_RETURN_IF_ERROR(attachMount(clone ? clone.get() : layer, place));
        return openFile(place, O_PATH | O_DIRECTORY);
    }

private:
    std::string scratch_;
    std::vector<std::string> places_;
};

}  // namespace

absl::StatusOr<UniqueFd> makeFileSystem(const std::string& type,
                                        const std::vector<std::pair<std::string, std::string>>& options,
                                        uint64_t attributes) {
    HS_ASSIGN_OR_RETURN(FsContext context, FsContext::open(type));
    for (const auto& [key, value] : options) HS_RETURN_IF_ERROR(context.setString(key, value));
    return context.mount(attributes);
}

absl::StatusOr<UniqueFd> cloneMount(const std::string& path, bool recursive) {
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? unsigned{AT_RECURSIVE} : 0U);
    UniqueFd mount_fd(::open_tree(AT_FDCWD, path.c_str(), flags));
    if (!mount_fd) return errnoStatus(errno, "open_tree " + path);
    return mount_fd;
}

absl::StatusOr<UniqueFd> idmappedClone(const std::string& path, int user_namespace_fd, uint64_t attributes) {
    HS_ASSIGN_OR_RETURN(UniqueFd mount_fd, cloneMount(path));
    mount_attr change{};
    change.attr_set = MOUNT_ATTR_IDMAP | attributes;
    change.userns_fd = static_cast<uint64_t>(user_namespace_fd);
    if (::mount_setattr(mount_fd.get(), "", AT_EMPTY_PATH, &change, sizeof(change)) < 0) {
        const char* const why = errno == EINVAL ? " (its file system has no idmapped mounts with this kernel)" : "";
        return errnoStatus(errno, "mount_setattr(idmap) of " + path + why);
    }
    return mount_fd;
}

absl::Status setAttributes(int mount_fd, uint64_t attributes, bool recursive) {
    mount_attr change{};
    change.attr_set = attributes;
    const unsigned flags = AT_EMPTY_PATH | (recursive ? unsigned{AT_RECURSIVE} : 0U);
    if (::mount_setattr(mount_fd, "", flags, &change, sizeof(change)) < 0) return errnoStatus(errno, "mount_setattr");
    return absl::OkStatus();
}

absl::Status attachMount(int mount_fd, const std::string& path) {
    if (::move_mount(mount_fd, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0) return absl::OkStatus();
    return errnoStatus(errno, "move_mount to " + path);
}

absl::Status detachMount(const std::string& path) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return absl::OkStatus();
    if (errno == EINVAL || errno == ENOENT) return absl::OkStatus();
    return errnoStatus(errno, "umount " + path);
}

absl::StatusOr<UniqueFd> makeOverlay(const Overlay& overlay) {
    auto mount_fd = makeOverlayByDescriptors(overlay);
    // An older kernel takes no descriptors (EOPNOTSUPP), no such option or no layer that is not attached (EINVAL).
    const int error = mount_fd.ok() ? 0 : errnoOf(mount_fd.status());
    return error == EINVAL || error == EOPNOTSUPP ? makeOverlayByPaths(overlay) : std::move(mount_fd);
}

absl::StatusOr<UniqueFd> makeOverlayByDescriptors(const Overlay& overlay) {
    HS_RETURN_IF_ERROR(checkOverlay(overlay));
    HS_ASSIGN_OR_RETURN(FsContext context, FsContext::open("overlay"));
    for (const int layer : overlay.lower) {
        HS_ASSIGN_OR_RETURN(UniqueFd directory, openDirectoryAt(layer, "."));
        HS_RETURN_IF_ERROR(context.setDescriptor("lowerdir+", directory.get()));
    }
    // The mount table shows everybody inside what a layer's path was. Below a detached mount that is no path of the
    // host.
    const std::filesystem::path upper_path(overlay.upper);
    const std::filesystem::path work_path(overlay.work);
    HS_ASSIGN_OR_RETURN(UniqueFd parent, cloneMount(upper_path.parent_path()));
    const Defer keep([&] {
        if (overlay.spent != nullptr) overlay.spent->push_back(std::move(parent));
    });
    HS_ASSIGN_OR_RETURN(const UniqueFd upper, openDirectoryAt(parent.get(), upper_path.filename()));
    HS_ASSIGN_OR_RETURN(const UniqueFd work, openDirectoryAt(parent.get(), work_path.filename()));
    HS_RETURN_IF_ERROR(context.setDescriptor("upperdir", upper.get()));
    HS_RETURN_IF_ERROR(context.setDescriptor("workdir", work.get()));
    return context.mount(overlay.attributes);
}

absl::StatusOr<UniqueFd> makeOverlayByPaths(const Overlay& overlay) {
    HS_RETURN_IF_ERROR(checkOverlay(overlay));
    AttachedLayers attached(overlay.scratch);
    std::vector<UniqueFd> directories;
    std::string lower;
    for (const int layer : overlay.lower) {
        HS_ASSIGN_OR_RETURN(UniqueFd directory, attached.attach(layer));
        lower += (lower.empty() ? "" : ":") + descriptorPath(directory.get());
        directories.push_back(std::move(directory));
    }
    HS_ASSIGN_OR_RETURN(UniqueFd upper, openFile(overlay.upper, O_PATH | O_DIRECTORY));
    HS_ASSIGN_OR_RETURN(UniqueFd work, openFile(overlay.work, O_PATH | O_DIRECTORY));
    HS_ASSIGN_OR_RETURN(FsContext context, FsContext::open("overlay"));
    HS_RETURN_IF_ERROR(context.setString("lowerdir", lower));
    HS_RETURN_IF_ERROR(context.setString("upperdir", descriptorPath(upper.get())));
    HS_RETURN_IF_ERROR(context.setString("workdir", descriptorPath(work.get())));
    return context.mount(overlay.attributes);
}

}  // namespace homeslice::sys
