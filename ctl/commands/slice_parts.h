// What the files of `slicectl slice` share.
#pragma once

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <string>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

class Client;

void declareSliceCreate(CLI::App& slice, Context& context);
void declareSlicePlan(CLI::App& slice, Context& context);
void declareSliceSet(CLI::App& slice, Context& context);
void declareSliceShare(CLI::App& slice, Context& context);
void declareSliceLoans(CLI::App& slice, Context& context);

// Prints the slice, with its slivers under "placement" and their sums under "totals".
absl::Status printSlice(Context& context, Client& client, const std::string& name);

// Seconds; 0, the controller's default, when the option is absent.
absl::StatusOr<uint32_t> leaseSeconds(bool given, const std::string& text);

}  // namespace homeslice::ctl
