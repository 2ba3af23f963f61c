// A terminal for a command: a pair of the sliver's own devpts, so that tty(1) and ttyname(3) find it inside.
#pragma once

#include <cstdint>

#include "base/unique_fd.h"

namespace homeslice::init {

struct Terminal {
    UniqueFd master;  // non-blocking
    UniqueFd slave;
};

// 0, or an errno value.
int openTerminal(uint16_t columns, uint16_t rows, Terminal& terminal);

}  // namespace homeslice::init
