// Where a command reads and writes. Programs use standardIo(); tests bring their own streams.
#pragma once

#include <ostream>

namespace homeslice::ctl {

struct Io {
    std::ostream& out;  // results: tables, JSON, the output of commands in slivers
    std::ostream& err;  // words for people: errors, progress
    int in_fd = 0;      // standard input; not owned
    bool in_is_terminal = false;
    bool err_is_terminal = false;
    bool colour = false;  // of `out`: a terminal, and NO_COLOR is unset
};

// std::cout, std::cerr and descriptor 0.
Io standardIo();

}  // namespace homeslice::ctl
