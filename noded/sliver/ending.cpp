#include "noded/sliver/ending.h"

#include <sys/wait.h>

namespace homeslice::sliver {
namespace {

constexpr int kSignalBase = 128;

std::string describe(const Ending& ending) {
    if (ending.command_status) {
        const int status = *ending.command_status;
        if (status == 0) return "";
        if (status > kSignalBase) return "the command was ended by signal " + std::to_string(status - kSignalBase);
        return "the command ended with status " + std::to_string(status);
    }
    if (ending.wait_status && WIFSIGNALED(*ending.wait_status)) {
        return "its first process was ended by signal " + std::to_string(WTERMSIG(*ending.wait_status));
    }
    return "its processes ended from outside, or the node was restarted";
}

int exitStatus(const Ending& ending) {
    if (ending.command_status) return *ending.command_status;
    if (!ending.wait_status) return 0;
    return WIFSIGNALED(*ending.wait_status) ? kSignalBase + WTERMSIG(*ending.wait_status)
                                            : WEXITSTATUS(*ending.wait_status);
}

}  // namespace

std::string describeOomKills(uint64_t kills, const Resources& limits) {
    const std::string killed = std::to_string(kills) + (kills == 1 ? " process was killed" : " processes were killed");
    return "out of memory: " + killed + " at the limit of " + std::to_string(limits.memory_bytes) +
           " bytes; give the slice more memory";
}

Verdict judge(const Ending& ending, const Resources& limits) {
    // Without a status from sliver-init it did not see its command end: it was killed itself.
    Verdict verdict{.state = ending.command_status ? State::exited : State::failed,
                    .exit_status = exitStatus(ending),
                    .reason = describe(ending)};
    // A kill in some corner of a sliver that then ended well is no reason.
    if (ending.oom_kills > 0 && !verdict.reason.empty()) verdict.reason = describeOomKills(ending.oom_kills, limits);
    return verdict;
}

}  // namespace homeslice::sliver
