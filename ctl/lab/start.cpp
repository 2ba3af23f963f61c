#include "ctl/lab/start.h"

#include <optional>

#include "base/file.h"
#include "base/status.h"
#include "ctl/lab/certificates.h"
#include "ctl/lab/controller.h"
#include "ctl/lab/processes.h"

namespace homeslice::ctl::lab {
namespace {

constexpr std::chrono::seconds kReadyWithin{30};
// Of the time for each of fifty nodes to start on a small machine.
constexpr std::chrono::seconds kPerNode{2};

bool runs(const LabState& state, const std::string& program) {
    const std::optional<ProcessId> process = state.processOf(program);
    return process && isAlive(*process);
}

absl::Status start(const Program& program, LabState& state) {
    HS_ASSIGN_OR_RETURN(const ProcessId process, spawnProgram(program));
    state.setProcess(program.name, process);
    return saveState(state);
}

std::vector<WatchedProgram> watched(const LabState& state) {
    std::vector<WatchedProgram> programs;
    for (const StartedProgram& program : state.programs) programs.push_back({program.name, program.process});
    return programs;
}

// The last lines of a log.
std::string tailOf(const std::string& path) {
    constexpr int kLines = 10;
    const absl::StatusOr<std::string> text = readFile(path);
    if (!text.ok() || text->empty()) return "";
    size_t at = text->size() - 1;
    for (int line = 0; line < kLines && at != std::string::npos && at > 0; ++line) at = text->rfind('\n', at - 1);
    return at == std::string::npos || at == 0 ? *text : text->substr(at + 1);
}

}  // namespace

absl::Status startPrograms(const Plan& plan, LabState& state, Progress& progress, Cancellation& cancellation) {
    const auto total = static_cast<uint32_t>(plan.programs.size());
    const uint32_t nodes = total - 1;
    const Deadline deadline = std::chrono::steady_clock::now() + kReadyWithin + plan.nodes * kPerNode;

    const Program& controller = plan.programs.front();
    progress.update(0, nodes, "starting the controller");
    HS_RETURN_IF_ERROR(makeAuthority(plan));
    if (!runs(state, controller.name)) HS_RETURN_IF_ERROR(start(controller, state));
    HS_ASSIGN_OR_RETURN(
        const std::unique_ptr<Client> client,
        waitForController({{controller.name, *state.processOf(controller.name)}}, deadline, cancellation));
    HS_RETURN_IF_ERROR(enrolNodes(plan, *client));
    progress.update(0, nodes, "starting nodes");
    for (const Program& program : plan.programs) {
        if (!runs(state, program.name)) HS_RETURN_IF_ERROR(start(program, state));
    }
    return waitForNodes(*client, nodes, watched(state), deadline, cancellation,
                        [&](uint32_t ready) { progress.update(ready, nodes, "waiting for nodes"); });
}

void showLogsOfEnded(const Io& io, const Plan& plan, const LabState& state) {
    for (const Program& program : plan.programs) {
        if (!state.processOf(program.name) || runs(state, program.name)) continue;
        io.err << "the last lines of " << program.log() << ":\n" << tailOf(program.log()) << std::flush;
    }
}

}  // namespace homeslice::ctl::lab
