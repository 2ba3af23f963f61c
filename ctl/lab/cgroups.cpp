#include "ctl/lab/cgroups.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/status.h"
#include "ctl/lab/mounts.h"
#include "ctl/lab/plan.h"

namespace homeslice::ctl::lab {
namespace {

namespace fs = std::filesystem;

// Parents before children.
std::vector<std::string> groupAndBelow(const std::string& group) {
    std::vector<std::string> groups{group};
    std::error_code error;
    for (auto entry = fs::recursive_directory_iterator(group, error); entry != fs::recursive_directory_iterator();
         entry.increment(error)) {
        if (entry->is_directory(error)) groups.push_back(entry->path().string());
    }
    return groups;
}

// A group whose last process has just ended is busy for a moment more, and cgroup v1 tells nobody when it is over.
absl::Status removeGroup(const std::string& group) {
    constexpr int kTries = 200;
    constexpr int kPauseMs = 10;
    for (int i = 0; i < kTries; ++i) {
        if (::rmdir(group.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
        if (errno != EBUSY) return errnoStatus(errno, "rmdir(" + group + ")");
        ::poll(nullptr, 0, kPauseMs);
    }
    return errnoStatus(EBUSY, "rmdir(" + group + ")");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> labCgroups() {
    HS_ASSIGN_OR_RETURN(const std::vector<Mount> mounts, listMounts());
    std::vector<std::string> groups;
    std::error_code error;
    for (const Mount& mount : mounts) {
        if (mount.type != "cgroup" && mount.type != "cgroup2") continue;
        const std::string group = mount.point + "/" + kCgroup;
        if (fs::is_directory(group, error)) groups.push_back(group);
    }
    return groups;
}

std::vector<pid_t> processesBelow(const std::string& group) {
    std::vector<pid_t> pids;
    for (const std::string& one : groupAndBelow(group)) {
        std::ifstream file(one + "/cgroup.procs");
        for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
    }
    return pids;
}

absl::Status removeCgroup(const std::string& group) {
    const std::vector<std::string> groups = groupAndBelow(group);
    for (auto one = groups.rbegin(); one != groups.rend(); ++one) HS_RETURN_IF_ERROR(removeGroup(*one));
    return absl::OkStatus();
}

}  // namespace homeslice::ctl::lab
