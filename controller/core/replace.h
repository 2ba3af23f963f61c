// Slivers of lost nodes, placed anew on others. Pure.
#pragma once

#include "controller/core/views.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// The batch that places what can be placed of all lost nodes, under one operation a node; empty when there is nothing
// to do. What has no place yet is found again by the next call. A sliver stays when its slice says so, and when it
// stands still (frozen, or its lease has ended): nothing of it would run elsewhere.
Changes replaceLost(const World& world);

// `operation` (of replaceLost()) with its present progress.
Operation viewReplacement(const World& world, const Operation& operation);

}  // namespace homeslice::controller
