// Commands of the shell, for what is set up once and not measured.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace homeslice::bench {

// INTERNAL when the command ends with another status than 0.
absl::Status shell(const std::string& command);
bool hasProgram(const std::string& name);

}  // namespace homeslice::bench
