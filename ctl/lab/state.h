// What a lab remembers about itself, lab.json in its run directory: written before each step that it announces,
// fsynced.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ctl/lab/plan.h"

namespace homeslice::ctl::lab {

// A pid alone can be reused; with its start time (proc_pid_stat(5), field 22) within one boot it cannot.
struct ProcessId {
    pid_t pid = 0;
    uint64_t start_time = 0;  // clock ticks since boot

    bool operator==(const ProcessId&) const = default;
};

// starting: `lab up` is at work, or died; up: it is done; stopping: `lab down` is at work, or died.
enum class Phase { starting, up, stopping };

struct StartedProgram {
    std::string name;  // as in the plan
    ProcessId process;

    bool operator==(const StartedProgram&) const = default;
};

struct LabState {
    Phase phase = Phase::starting;
    std::string boot_id;  // the lab is gone when the kernel's is another
    uint32_t nodes = 0;
    uint32_t home_agents = 1;
    uint32_t correspondents = 0;
    std::string home_prefix;
    Network network;
    Times times;                        // as in the plan
    bool made_netns_directory = false;  // /run/netns became a mount point by this lab
    std::vector<StartedProgram> programs;

    // Replaces the program's earlier process.
    void setProcess(const std::string& program, const ProcessId& process);
    std::optional<ProcessId> processOf(const std::string& program) const;

    bool operator==(const LabState&) const = default;
};

const char* toString(Phase phase);
std::string toJson(const LabState& state);
// DATA_LOSS when the text is none of toJson()'s.
absl::StatusOr<LabState> parseLabState(const std::string& text);

absl::Status saveState(const LabState& state);
// NOT_FOUND when there is no lab, or only one of an earlier boot.
absl::StatusOr<LabState> loadState();

absl::StatusOr<std::string> currentBootId();

}  // namespace homeslice::ctl::lab
