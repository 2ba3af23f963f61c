#include "noded/isolation/volumes.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/mount.h"

namespace homeslice::isolation {
namespace {

// `source` as it is called from `allowed`; "." for the directory itself. Empty: it is not below it.
std::string below(const std::string& allowed, const std::string& source) {
    if (source == allowed) return ".";
    const std::string prefix = allowed.ends_with('/') ? allowed : allowed + "/";
    return source.starts_with(prefix) ? source.substr(prefix.size()) : "";
}

absl::StatusOr<UniqueFd> openSource(const std::string& allowed, const std::string& relative) {
    HS_ASSIGN_OR_RETURN(const UniqueFd root, openFile(allowed, O_PATH | O_DIRECTORY));
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    UniqueFd source(static_cast<int>(::syscall(SYS_openat2, root.get(), relative.c_str(), &how, sizeof how)));
    if (source) return source;
    if (errno == ELOOP) return permissionDenied("there is a symbolic link on the way");
    return errnoStatus(errno, "open");
}

}  // namespace

absl::StatusOr<UniqueFd> openVolume(const Volume& volume, const std::vector<std::string>& allowed, int user_namespace) {
    const std::string context = "volume " + volume.source;
    for (const std::string& directory : allowed) {
        const std::string relative = below(directory, volume.source);
        if (relative.empty()) continue;
        HS_ASSIGN_OR_RETURN_CTX(const UniqueFd source, openSource(directory, relative), context);
        const uint64_t attributes =
            sys::kMountNoSuid | sys::kMountNoDev | (volume.read_only ? sys::kMountReadOnly : uint64_t{0});
        auto mount = sys::idmappedClone("/proc/self/fd/" + std::to_string(source.get()), user_namespace, attributes);
        if (!mount.ok()) return withContext(mount.status(), context);
        return mount;
    }
    return permissionDenied(context + ": this node does not allow it (noded --volume)");
}

}  // namespace homeslice::isolation
