#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/status.h"
#include "ctl/lab/actions.h"
#include "ctl/lab/network.h"

namespace homeslice::ctl::lab {
namespace {

constexpr int kCannotExecute = 126;  // as the shell's
constexpr int kNoSuchCommand = 127;

absl::Status checkHost(const Plan& plan, const std::string& name) {
    std::string names;
    for (const Host& host : plan.hosts) {
        if (host.name == name) return absl::OkStatus();
        names += (names.empty() ? "" : ", ") + host.name;
    }
    return notFound("the lab has no host '" + name + "'; there are: " + names);
}

// exec(3) by PATH; answers with the exit status that a shell would.
int become(Context& context, const std::vector<std::string>& command) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    const int error = errno;
    context.io().err << "slicectl: " << messageOf(errnoStatus(error, command[0])) << '\n' << std::flush;
    return error == ENOENT ? kNoSuchCommand : kCannotExecute;
}

}  // namespace

absl::StatusOr<int> run(Context& context, const std::string& host, const std::vector<std::string>& command) {
    HS_RETURN_IF_ERROR(requireRoot());
    HS_ASSIGN_OR_RETURN(const LabState state, requireLab());
    HS_ASSIGN_OR_RETURN(const Plan plan, planOf(state));
    HS_RETURN_IF_ERROR(checkHost(plan, host));
    const std::string name = plan.host(host).netns();
    HS_ASSIGN_OR_RETURN(const UniqueFd netns, openNamespace(name));
    if (::setns(netns.get(), CLONE_NEWNET) != 0) return errnoStatus(errno, "setns(" + name + ")");
    return become(context, command);
}

absl::StatusOr<LabState> requireLab() {
    absl::StatusOr<LabState> state = loadState();
    if (state.ok() || state.status().code() != absl::StatusCode::kNotFound) return state;
    return notFound("no lab is up; start one: slicectl lab up");
}

absl::StatusOr<Plan> planOf(const LabState& state) {
    HS_ASSIGN_OR_RETURN(const Ipv6Prefix prefix, Ipv6Prefix::parse(state.home_prefix));
    HS_ASSIGN_OR_RETURN(const std::string programs, programDirectory());
    return makePlan({state.nodes, state.home_agents, state.correspondents}, prefix, programs, state.network,
                    state.times);
}

absl::Status requireRoot() {
    if (::geteuid() == 0) return absl::OkStatus();
    return permissionDenied("the lab needs root, for namespaces, cgroups and eBPF");
}

absl::StatusOr<std::string> programDirectory() {
    std::error_code error;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return errnoStatus(error.value(), "readlink(/proc/self/exe)");
    return program.parent_path().string();
}

}  // namespace homeslice::ctl::lab
