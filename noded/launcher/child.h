// What the cloned child does to itself until it is sliver-init.
#pragma once

#include "base/unique_fd.h"

namespace homeslice::launcher {

// Waits for the plan on `setup`, follows it step by step, and executes sliver-init. A step that fails is reported on
// the socket and ends the child; so does the end of the connection before the plan came.
[[noreturn]] void runChild(UniqueFd setup);

}  // namespace homeslice::launcher
