#include "ctl/lab/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "base/file.h"
#include "base/status.h"
#include "ctl/lab/plan.h"

namespace homeslice::ctl::lab {
namespace {

bool sameFile(int fd, const std::string& path) {
    struct stat held {};
    struct stat named {};
    return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

}  // namespace

absl::StatusOr<UniqueFd> lockLab() {
    const std::string directory = std::filesystem::path(kRunDirectory).parent_path().string();
    for (;;) {
        HS_RETURN_IF_ERROR(makeDirectories(directory));
        HS_ASSIGN_OR_RETURN(UniqueFd fd, openFile(directory, O_RDONLY | O_DIRECTORY));
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return errnoStatus(errno, "flock(" + directory + ")");
            return failedPrecondition("another 'slicectl lab' command is at work; wait for its end");
        }
        // `lab down` may have removed the directory between open and flock.
        if (sameFile(fd.get(), directory)) return fd;
    }
}

}  // namespace homeslice::ctl::lab
