// `slicectl node rebalance`.
#pragma once

#include <CLI/CLI.hpp>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

void declareRebalance(CLI::App& node, Context& context);

}  // namespace homeslice::ctl
