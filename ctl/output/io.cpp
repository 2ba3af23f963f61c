#include "ctl/output/io.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace homeslice::ctl {

Io standardIo() {
    const char* no_colour = std::getenv("NO_COLOR");
    const bool colour_allowed = no_colour == nullptr || *no_colour == '\0';
    return {.out = std::cout,
            .err = std::cerr,
            .in_fd = STDIN_FILENO,
            .in_is_terminal = ::isatty(STDIN_FILENO) == 1,
            .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
            .colour = colour_allowed && ::isatty(STDOUT_FILENO) == 1};
}

}  // namespace homeslice::ctl
