#include "base/status.h"
#include "ctl/lab/actions.h"
#include "ctl/lab/lock.h"
#include "ctl/lab/processes.h"
#include "ctl/lab/start.h"

namespace homeslice::ctl::lab {
namespace {

absl::Status endProgram(const LabState& state, const std::string& program) {
    const std::optional<ProcessId> process = state.processOf(program);
    if (!process) return notFound("the lab has no program '" + program + "'; see slicectl lab status");
    return isAlive(*process) ? killAll({process->pid}) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> restart(Context& context, const std::string& program) {
    HS_RETURN_IF_ERROR(requireRoot());
    HS_ASSIGN_OR_RETURN(const UniqueFd lock, lockLab());
    HS_ASSIGN_OR_RETURN(LabState state, requireLab());
    if (state.phase != Phase::up) {
        return failedPrecondition("the lab is only half there; make it anew: slicectl lab up");
    }
    HS_ASSIGN_OR_RETURN(const Plan plan, planOf(state));
    if (!program.empty()) HS_RETURN_IF_ERROR(endProgram(state, program));
    Cancellation cancellation;
    const SignalWatch signals(cancellation);
    Progress progress(context.io(), "lab");
    const absl::Status started = startPrograms(plan, state, progress, cancellation);
    if (!started.ok()) {
        showLogsOfEnded(context.io(), plan, state);
        return withContext(started, "lab restart");
    }
    progress.finish("all programs run, all nodes are ready");
    return 0;
}

}  // namespace homeslice::ctl::lab
