// A program that runs for a while and reports in lines.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>
#include <vector>

#include "ctl/client/cancellation.h"

namespace homeslice::ctl {

// Runs `argv` (argv[0] is a path) in a process group of its own, without input, and waits for its end. `line` gets each
// line of its stdout and stderr. `cancellation` sends SIGTERM to the group. INTERNAL with the last line that it printed
// unless it exits with 0; CANCELLED when it was cancelled.
absl::Status runChild(const std::vector<std::string>& argv, Cancellation& cancellation,
                      const std::function<void(const std::string&)>& line);

}  // namespace homeslice::ctl
