// The lab's programs as processes: start, identity, end.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "ctl/lab/plan.h"
#include "ctl/lab/state.h"

namespace homeslice::ctl::lab {

// Starts the program in its host's network namespace: own session, no input, stdout and stderr appended to its log,
// environment of PATH alone. The error names the step that failed in the child.
absl::StatusOr<ProcessId> spawnProgram(const Program& program);

// NOT_FOUND when there is no such process, or only its remains (a zombie).
absl::StatusOr<ProcessId> identify(pid_t pid);
bool isAlive(const ProcessId& process);

// A pidfd of exactly this process; NOT_FOUND when it has ended.
absl::StatusOr<UniqueFd> openProcess(const ProcessId& process);
// The first of `pidfds` whose process has ended within `timeout`, else -1.
int waitForAnyEnd(const std::vector<UniqueFd>& pidfds, std::chrono::milliseconds timeout);
// Kills with SIGKILL and waits for the end of all; DEADLINE_EXCEEDED names one that does not end.
absl::Status killAll(const std::vector<pid_t>& pids);

}  // namespace homeslice::ctl::lab
