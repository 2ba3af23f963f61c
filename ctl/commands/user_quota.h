// `slicectl user show` and `user quota`.
#pragma once

#include <CLI/CLI.hpp>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

void declareUserQuota(CLI::App& user, Context& context);

}  // namespace homeslice::ctl
