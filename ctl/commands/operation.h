// Waiting for operations: the same options, progress, words and exit status for every command that starts one.
#pragma once

#include <absl/status/statusor.h>
#include <homeslice/v1/controller.pb.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <string>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

struct WaitOptions {
    bool no_wait = false;
    std::string timeout = "5m";
};

// Adds --no-wait and --timeout.
void addWaitOptions(CLI::App& app, WaitOptions& options);

// Declared once per command: what is asked for, and how to tell of it.
struct OperationStory {
    std::string label;                                                 // "slice web"
    std::string look;                                                  // command that shows how it goes on
    std::function<absl::StatusOr<v1::Operation>(Client&)> start;       // asks the controller
    std::function<std::string(const v1::Operation&)> outcome;          // words for the end, when it went well
    std::function<absl::Status(Client&, const v1::Operation&)> print;  // the result on stdout, at the end
};

// Starts the operation and, unless told otherwise, follows it to its end; failures are listed on stderr, one line each.
// Answers the exit status. DEADLINE_EXCEEDED and CANCELLED leave the operation going on.
absl::StatusOr<int> runOperation(Context& context, const WaitOptions& options, const OperationStory& story);

// For operations that leave nothing to show: the operation itself, in the formats for programs.
absl::Status printEnded(Context& context, const v1::Operation& ended);

// "3 slivers", "1 sliver".
std::string sliversText(uint32_t count);
// How long the operation took, as people read it.
std::string elapsedText(const v1::Operation& operation);

}  // namespace homeslice::ctl
