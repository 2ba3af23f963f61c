// Every command, one function and one file per noun.
#pragma once

#include <CLI/CLI.hpp>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

void registerNode(CLI::App& app, Context& context);
void registerImage(CLI::App& app, Context& context);
void registerSlice(CLI::App& app, Context& context);
void registerSliver(CLI::App& app, Context& context);
void registerExec(CLI::App& app, Context& context);
void registerShell(CLI::App& app, Context& context);
void registerLogs(CLI::App& app, Context& context);
void registerHome(CLI::App& app, Context& context);
void registerUser(CLI::App& app, Context& context);
void registerReservation(CLI::App& app, Context& context);
void registerOperation(CLI::App& app, Context& context);
void registerAudit(CLI::App& app, Context& context);
void registerWatch(CLI::App& app, Context& context);
void registerSystemContext(CLI::App& app, Context& context);

// All of them; the lab has its own (ctl/lab/commands.h).
void registerCommands(CLI::App& app, Context& context);

}  // namespace homeslice::ctl
