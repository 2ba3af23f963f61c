// Whose a flow was.
#pragma once

#include <CLI/CLI.hpp>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

// `slicectl audit flow --address A --at T`, and the same without `flow`.
void registerAuditFlow(CLI::App& audit, Context& context);

}  // namespace homeslice::ctl
