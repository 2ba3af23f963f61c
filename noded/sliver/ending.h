// What the end of a sliver's processes means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "noded/sliver/state.h"
#include "spec/sliver_spec.h"

namespace homeslice::sliver {

// What is known of the end.
struct Ending {
    std::optional<int> command_status =
        std::nullopt;  // of the command, as sliver-init left it: 0-255, 128+N after signal N
    std::optional<int> wait_status = std::nullopt;  // of sliver-init itself, as of waitpid(2)
    uint64_t oom_kills = 0;
};

struct Verdict {
    State state = State::exited;  // exited: the command came to its end; failed: somebody or something cut it short
    int exit_status = 0;
    std::string reason;
};

// "out of memory: 1 process was killed ...", with what helps.
std::string describeOomKills(uint64_t kills, const Resources& limits);

Verdict judge(const Ending& ending, const Resources& limits);

}  // namespace homeslice::sliver
