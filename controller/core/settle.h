// What follows by itself from what the nodes say: moves go on, what is gone is forgotten, operations end. Pure.
#pragma once

#include "controller/core/views.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// The next batch to store; empty when all is settled. One step of each thing a call: the nodes must be told of a step
// before their reports can count for the next.
Changes settle(const World& world);

}  // namespace homeslice::controller
