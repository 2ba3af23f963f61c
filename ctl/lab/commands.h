// slicectl lab: a whole Homeslice on one machine. See docs/guide/lab.md.
#pragma once

#include <CLI/CLI.hpp>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

void registerLab(CLI::App& app, Context& context);

}  // namespace homeslice::ctl
