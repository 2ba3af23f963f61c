#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "ctl/commands/parse.h"
#include "ctl/lab/actions.h"
#include "ctl/lab/lock.h"
#include "ctl/lab/network.h"
#include "ctl/lab/start.h"
#include "ctl/lab/sweep.h"
#include "ctl/output/units.h"

namespace homeslice::ctl::lab {
namespace {

constexpr uid_t kNobody = 65534;
constexpr mode_t kPublicMode = 0755;
constexpr mode_t kPrivateMode = 0700;

absl::Status refuseSecondLab() {
    const absl::StatusOr<LabState> state = loadState();
    if (!state.ok() || state->phase != Phase::up) return absl::OkStatus();
    return failedPrecondition("a lab of " + std::to_string(state->nodes) +
                              " nodes is up; take it down first: slicectl lab down");
}

absl::Status sweepRemains(const Io& io) {
    HS_ASSIGN_OR_RETURN(const bool left, isAnythingLeft());
    if (!left) return absl::OkStatus();
    io.err << "lab: removing what an earlier one left behind\n" << std::flush;
    return sweep();
}

absl::Status makePrivateDirectory(const std::string& path) {
    HS_RETURN_IF_ERROR(makeDirectories(path, kPrivateMode));
    if (::chown(path.c_str(), kNobody, kNobody) != 0) return errnoStatus(errno, "chown(" + path + ")");
    return absl::OkStatus();
}

absl::Status makeLabDirectories() {
    HS_RETURN_IF_ERROR(makeDirectories(kStateDirectory, kPublicMode));
    HS_RETURN_IF_ERROR(makePrivateDirectory(controllerStateDirectory()));
    HS_RETURN_IF_ERROR(makePrivateDirectory(controllerDirectory()));
    // The socket's well-known place: a link, for sliced may not write there.
    const std::string socket = controllerAddress().substr(std::string("unix:").size());
    const std::string name = std::filesystem::path(socket).filename().string();
    const std::string target = controllerDirectory() + "/" + name;
    if (::symlink(target.c_str(), socket.c_str()) != 0) return errnoStatus(errno, "symlink(" + socket + ")");
    return absl::OkStatus();
}

absl::StatusOr<LabState> announce(const Plan& plan) {
    HS_ASSIGN_OR_RETURN(const std::string boot_id, currentBootId());
    LabState state{.phase = Phase::starting,
                   .boot_id = boot_id,
                   .nodes = plan.nodes,
                   .home_agents = plan.home_agents,
                   .correspondents = plan.correspondents,
                   .home_prefix = plan.home_prefix.toString(),
                   .network = plan.network,
                   .times = plan.times,
                   .made_netns_directory = !isNetnsDirectoryMounted(),
                   .programs = {}};
    HS_RETURN_IF_ERROR(makeDirectories(kRunDirectory, kPublicMode));
    HS_RETURN_IF_ERROR(saveState(state));
    return state;
}

absl::Status build(const Plan& plan, LabState& state, Progress& progress, Cancellation& cancellation) {
    progress.update(0, plan.nodes + 1, "making the network");
    HS_RETURN_IF_ERROR(makeLabDirectories());
    HS_RETURN_IF_ERROR(makeNetwork(plan));
    HS_RETURN_IF_ERROR(startPrograms(plan, state, progress, cancellation));
    state.phase = Phase::up;
    return saveState(state);
}

absl::Status checkPrograms(const Plan& plan) {
    for (const Program& program : plan.programs) {
        if (::access(program.argv[0].c_str(), X_OK) == 0) continue;
        return internalError("there is no " + program.argv[0] + "; it belongs beside slicectl");
    }
    return absl::OkStatus();
}

absl::StatusOr<uint32_t> correspondentsOf(const std::string& wish) {
    if (wish == "0") return 0U;
    return parseCount("--correspondents", wish, kMostCorrespondents);
}

absl::Status checkTimes(const Times& times) {
    for (const auto& [option, time] :
         {std::pair("--replace-after", times.replace_after),
          std::pair("--certificate-lifetime", times.certificate_lifetime), std::pair("--grace", times.grace),
          std::pair("--keep-flows", times.keep_flows)}) {
        if (!time.empty()) HS_RETURN_IF_ERROR(parseDuration(option, time).status());
    }
    return absl::OkStatus();
}

absl::StatusOr<Network> networkOf(const LabWish& wish, uint32_t nodes) {
    Network network = wish.network;
    if (wish.behind_nat == "0") return network;
    HS_ASSIGN_OR_RETURN(network.behind_nat, parseCount("--behind-nat", wish.behind_nat, nodes));
    if (!network.ipv4) return invalidArgument("--behind-nat: NATs are of IPv4; add --ipv4");
    return network;
}

absl::StatusOr<Plan> planFor(const LabWish& wish) {
    HS_ASSIGN_OR_RETURN(const uint32_t nodes, parseCount("--nodes", wish.nodes, kMostNodes));
    HS_ASSIGN_OR_RETURN(const uint32_t home_agents, parseCount("--home-agents", wish.home_agents, kMostHomeAgents));
    HS_ASSIGN_OR_RETURN(const uint32_t correspondents, correspondentsOf(wish.correspondents));
    HS_ASSIGN_OR_RETURN(const Ipv6Prefix prefix, parseHomePrefix("--home-prefix", wish.home_prefix));
    HS_RETURN_IF_ERROR(checkTimes(wish.times));
    HS_ASSIGN_OR_RETURN(const Network network, networkOf(wish, nodes));
    HS_ASSIGN_OR_RETURN(const std::string programs, programDirectory());
    return makePlan({nodes, home_agents, correspondents}, prefix, programs, network, wish.times);
}

}  // namespace

absl::StatusOr<int> up(Context& context, const LabWish& wish) {
    const auto started = std::chrono::steady_clock::now();
    HS_ASSIGN_OR_RETURN(const Plan plan, planFor(wish));
    HS_RETURN_IF_ERROR(requireRoot());
    HS_RETURN_IF_ERROR(checkPrograms(plan));
    HS_ASSIGN_OR_RETURN(const UniqueFd lock, lockLab());
    HS_RETURN_IF_ERROR(refuseSecondLab());
    HS_RETURN_IF_ERROR(sweepRemains(context.io()));

    Cancellation cancellation;
    const SignalWatch signals(cancellation);
    HS_ASSIGN_OR_RETURN(LabState state, announce(plan));
    Progress progress(context.io(), "lab");
    const absl::Status built = build(plan, state, progress, cancellation);
    if (!built.ok()) {
        showLogsOfEnded(context.io(), plan, state);
        const absl::Status swept = sweep();
        if (!swept.ok()) context.io().err << "lab: " << messageOf(swept) << "; try: slicectl lab down\n" << std::flush;
        return withContext(built, "lab up");
    }
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
    progress.finish(std::to_string(plan.nodes) + (plan.nodes == 1 ? " node is" : " nodes are") + " ready, after " +
                    humanElapsed(elapsed));
    return 0;
}

}  // namespace homeslice::ctl::lab
