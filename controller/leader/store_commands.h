// `sliced store backup|restore|migrate`.
#pragma once

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "controller/leader/store_options.h"

namespace homeslice::controller {

// What was asked for on the command line; `act` is null when it was something else.
struct StoreCommand {
    std::function<absl::Status(const StoreOptions&)> act;
    std::string file;
    std::string from;
    std::string to;
};

void describe(CLI::App& app, StoreCommand& command);

absl::Status backUpStore(const StoreOptions& options, const std::string& file);
absl::Status restoreStore(const StoreOptions& options, const std::string& file);
absl::Status migrateStore(const StoreOptions& options, const std::string& from, const std::string& to);

}  // namespace homeslice::controller
