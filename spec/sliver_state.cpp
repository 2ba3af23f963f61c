#include "spec/sliver_state.h"

#include "base/status.h"

namespace homeslice {

const char* toString(SliverState state) {
    switch (state) {
        case SliverState::pending:
            return "pending";
        case SliverState::preparing:
            return "preparing";
        case SliverState::starting:
            return "starting";
        case SliverState::running:
            return "running";
        case SliverState::frozen:
            return "frozen";
        case SliverState::stopping:
            return "stopping";
        case SliverState::stopped:
            return "stopped";
        case SliverState::exited:
            return "exited";
        case SliverState::failed:
            return "failed";
        case SliverState::deleting:
            return "deleting";
    }
    return "unknown";
}

absl::StatusOr<SliverState> parseSliverState(const std::string& text) {
    for (const SliverState state : kSliverStates) {
        if (text == toString(state)) return state;
    }
    return invalidArgument("'" + text + "' is no state of a sliver");
}

const char* toString(Health health) {
    switch (health) {
        case Health::none:
            return "none";
        case Health::starting:
            return "starting";
        case Health::healthy:
            return "healthy";
        case Health::unhealthy:
            return "unhealthy";
    }
    return "unknown";
}

}  // namespace homeslice
