#include "noded/isolation/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::isolation {
namespace {

std::string incoming(const SliverRuntime& runtime) { return runtime.directory + "/incoming"; }

// `path` is made by us in a directory that only host root can enter: nobody can put a link in its place.
absl::Status makeOwnedDirectory(const std::string& path, uint32_t owner, unsigned mode) {
    HS_RETURN_IF_ERROR(makeDirectories(path));
    if (::chown(path.c_str(), owner, owner) != 0) return errnoStatus(errno, "chown(" + path + ")");
    if (::chmod(path.c_str(), mode) != 0) return errnoStatus(errno, "chmod(" + path + ")");
    return absl::OkStatus();
}

}  // namespace

absl::Status makeSliverDirectories(const SliverRuntime& runtime) {
    HS_RETURN_IF_ERROR(makeDirectories(runtime.directory, 0700));
    HS_RETURN_IF_ERROR(makeDirectories(runtime.directory + "/scratch", 0700));
    const uint32_t root = runtime.ids.first;
    HS_RETURN_IF_ERROR(makeOwnedDirectory(runtime.upperDirectory(), root, 0755));
    HS_RETURN_IF_ERROR(makeOwnedDirectory(runtime.workDirectory(), root, 0700));
    return makeOwnedDirectory(runtime.logDirectory(), root, 0700);
}

absl::StatusOr<std::string> makeIncomingDisk(const SliverRuntime& runtime) {
    HS_RETURN_IF_ERROR(makeDirectories(runtime.directory, 0700));
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
