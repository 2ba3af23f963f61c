// One-time tokens, as several commands ask for them.
#pragma once

#include <absl/status/statusor.h>
#include <homeslice/v1/controller.pb.h>

#include <CLI/CLI.hpp>
#include <string>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

struct TokenOptions {
    std::string valid = "1h";
};
void addTokenOptions(CLI::App& app, TokenOptions& options);
// Seconds.
absl::StatusOr<uint32_t> tokenLifetime(const TokenOptions& options);

// The token alone on stdout, for scripts; on stderr what to do with it, `command`, and until when.
void printToken(Context& context, const v1::JoinToken& token, const std::string& command);

}  // namespace homeslice::ctl
