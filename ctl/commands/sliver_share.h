// `slicectl sliver drain|undrain|weight`: a sliver's part in its slice's address.
#pragma once

#include <CLI/CLI.hpp>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

void declareSliverShare(CLI::App& sliver, Context& context);

}  // namespace homeslice::ctl
