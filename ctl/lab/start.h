// Starting the lab's programs and waiting until they work together.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "ctl/client/cancellation.h"
#include "ctl/lab/plan.h"
#include "ctl/lab/state.h"
#include "ctl/output/io.h"
#include "ctl/output/progress.h"

namespace homeslice::ctl::lab {

struct WatchedProgram {
    std::string name;
    ProcessId process;
};

// Starts those programs of the plan that do not run, the controller first, and waits until all nodes are ready. Each
// process is recorded in `state`, and saved.
absl::Status startPrograms(const Plan& plan, LabState& state, Progress& progress, Cancellation& cancellation);

// Shows the end of the log of each program that has ended.
void showLogsOfEnded(const Io& io, const Plan& plan, const LabState& state);

}  // namespace homeslice::ctl::lab
