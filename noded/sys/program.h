// Helper programs of the distribution (mkfs.ext4): run, waited for.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

namespace homeslice::sys {

// Runs argv[0], found by the usual path of a system, without input and without what noded holds open. An exit status
// above `worst` is FAILED_PRECONDITION with the program's last words; NOT_FOUND when there is no such program. Blocks.
absl::Status runProgram(const std::vector<std::string>& argv, int worst = 0);

}  // namespace homeslice::sys
