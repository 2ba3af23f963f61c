// What a node may say that it is.
#pragma once

#include <absl/status/status.h>

#include "controller/model/model.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// A node is no home agent by its own word: an administrator has allowed it. PERMISSION_DENIED says how.
absl::Status checkRole(const Node& hello, const Snapshot& snapshot);

// Whether others may take it for a home agent.
bool isHomeAgent(const Node& node, const Snapshot& snapshot);

}  // namespace homeslice::controller
