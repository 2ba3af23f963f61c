// Runs a program as a user would and keeps what it said.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace homeslice::testing_support {

struct CommandResult {
    int status = -1;  // exit status; 128+N after signal N; 124 when the time ran out and it was killed
    std::string out;
    std::string err;
    std::chrono::milliseconds took{};
};

// `argv[0]` is found by PATH. `input` is its standard input. It is killed after `timeout`.
CommandResult runCommand(const std::vector<std::string>& argv, const std::string& input = "",
                         std::chrono::seconds timeout = std::chrono::seconds(60));

// The last line of `text` that is not empty.
std::string lastLine(const std::string& text);
// The lines of `text`, without an empty last one.
std::vector<std::string> linesOf(const std::string& text);

}  // namespace homeslice::testing_support
