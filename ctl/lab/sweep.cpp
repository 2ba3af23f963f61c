#include "ctl/lab/sweep.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/status.h"
#include "ctl/lab/cgroups.h"
#include "ctl/lab/members.h"
#include "ctl/lab/mounts.h"
#include "ctl/lab/network.h"
#include "ctl/lab/plan.h"
#include "ctl/lab/processes.h"
#include "ctl/lab/remove.h"
#include "ctl/lab/state.h"

namespace homeslice::ctl::lab {
namespace {

// What is being killed may still fork: again, until nobody is left.
absl::Status endMembers(const std::vector<StartedProgram>& recorded) {
    constexpr int kRounds = 20;
    for (int round = 0; round < kRounds; ++round) {
        HS_ASSIGN_OR_RETURN(const std::vector<pid_t> members, findMembers(recorded));
        if (members.empty()) return absl::OkStatus();
        if (std::find(members.begin(), members.end(), ::getpid()) != members.end()) {
            return failedPrecondition("this command runs inside the lab; run it from outside");
        }
        HS_RETURN_IF_ERROR(killAll(members));
    }
    return deadlineExceeded("processes in the lab keep multiplying");
}

absl::Status removeCgroups() {
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> groups, labCgroups());
    for (const std::string& group : groups) HS_RETURN_IF_ERROR(removeCgroup(group));
    return absl::OkStatus();
}

absl::Status removeNamespaces() {
    for (const std::string& name : labNamespaces()) HS_RETURN_IF_ERROR(removeNamespace(name));
    return absl::OkStatus();
}

absl::Status removeDirectory(const std::string& directory) {
    HS_RETURN_IF_ERROR(unmountBelow(directory));
    HS_RETURN_IF_ERROR(removeLargeTree(directory));
    // The parent too, when nothing else of Homeslice is in it.
    ::rmdir(std::filesystem::path(directory).parent_path().c_str());
    return absl::OkStatus();
}

// The lab's memory as far as it can be read: the sweep goes on without it.
LabState rememberedState() {
    absl::StatusOr<LabState> state = loadState();
    return state.ok() ? *std::move(state) : LabState();
}

}  // namespace

absl::StatusOr<bool> isAnythingLeft() {
    std::error_code error;
    if (std::filesystem::exists(kRunDirectory, error) || std::filesystem::exists(kStateDirectory, error)) return true;
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> groups, labCgroups());
    return !groups.empty() || !labNamespaces().empty();
}

absl::Status sweep() {
    LabState state = rememberedState();
    HS_RETURN_IF_ERROR_CTX(endMembers(state.programs), "end the lab's processes");
    if (!state.boot_id.empty()) {
        state.phase = Phase::stopping;
        HS_RETURN_IF_ERROR(saveState(state));
    }
    HS_RETURN_IF_ERROR_CTX(removeCgroups(), "remove the lab's cgroups");
    HS_RETURN_IF_ERROR_CTX(removeNamespaces(), "remove the lab's network namespaces");
    if (state.made_netns_directory) releaseNetnsDirectory();
    HS_RETURN_IF_ERROR_CTX(removeDirectory(kStateDirectory), "remove the lab's state");
    // The last, for it holds the memory of what there is to do.
    return withContext(removeDirectory(kRunDirectory), "remove the lab's run directory");
}

}  // namespace homeslice::ctl::lab
