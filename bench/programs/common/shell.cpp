#include "shell.h"

#include <cstdlib>

#include "base/status.h"

namespace homeslice::bench {

absl::Status shell(const std::string& command) {
    const int status = std::system(command.c_str());
    return status == 0 ? absl::OkStatus() : internalError(command + ": status " + std::to_string(status));
}

bool hasProgram(const std::string& name) { return shell("command -v " + name + " >/dev/null 2>&1").ok(); }

}  // namespace homeslice::bench
