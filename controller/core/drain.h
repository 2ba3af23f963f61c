// Nodes that are emptied: which sliver leaves next, and where to. Pure.
#pragma once

#include "controller/core/views.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// Adds the moves that running drains begin now, a few at a time, and the failures of slivers that cannot leave.
void settleDrains(const World& world, Changes& changes);

// `operation` with a sliver that failed to leave; it is not tried again.
Operation withFailure(Operation operation, const OperationFailure& failure);

}  // namespace homeslice::controller
