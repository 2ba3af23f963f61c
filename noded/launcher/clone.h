// The clone itself: a child in seven new namespaces and in its groups, ids mapped, waiting for its plan.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "noded/launcher/home_groups.h"
#include "noded/launcher/protocol.h"

namespace homeslice::launcher {

struct SliverGroups {
    const char* v2_directory = "";
    const char* v1_directories[kMaxV1Directories] = {};
    size_t v1_count = 0;
};

struct Cloned {
    ClonedMessage message;
    UniqueFd pidfd;
    UniqueFd user_namespace;
    UniqueFd network_namespace;
    UniqueFd setup;
};

// On failure nothing is left, and the message says which step.
Cloned cloneSliver(HomeGroups& home, const SliverGroups& groups, uint32_t first_id, uint32_t id_count);

}  // namespace homeslice::launcher
