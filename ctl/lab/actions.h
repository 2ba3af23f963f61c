// What the verbs of `slicectl lab` do. Each answers an exit status, or an error of one line.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "ctl/commands/context.h"
#include "ctl/lab/plan.h"
#include "ctl/lab/state.h"

namespace homeslice::ctl::lab {

// What a lab shall be, as typed.
struct LabWish {
    std::string nodes = "3";
    std::string home_agents = "1";
    std::string correspondents = "0";
    std::string home_prefix = kDefaultHomePrefix;
    std::string behind_nat = "0";
    Network network;
    Times times;
};
// FAILED_PRECONDITION when a lab is up. A failure leaves nothing behind.
absl::StatusOr<int> up(Context& context, const LabWish& wish);
// OK when there is nothing to take down.
absl::StatusOr<int> down(Context& context);
absl::StatusOr<int> status(Context& context);
// Starts what is dead again; a program that is named is ended first if it lives.
absl::StatusOr<int> restart(Context& context, const std::string& program);
// Becomes the command, in the network namespace of the host. Returns only on failure; 126 and 127 are as in a shell.
absl::StatusOr<int> run(Context& context, const std::string& host, const std::vector<std::string>& command);

// The lab that is up; NOT_FOUND says how to get one.
absl::StatusOr<LabState> requireLab();
absl::StatusOr<Plan> planOf(const LabState& state);
// PERMISSION_DENIED unless root.
absl::Status requireRoot();
// Directory of the running slicectl, and of its companions.
absl::StatusOr<std::string> programDirectory();

}  // namespace homeslice::ctl::lab
