// A home agent's binding as clients see it. Internal to ListBindings and WatchHomeBindings.
#pragma once

#include "controller/core/controller.h"
#include "homeslice/v1/binding.pb.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

// With whose address it is. False when the binding makes no sense.
bool toHomeBinding(const Controller& controller, const NodeEndpoint& agent, bool in_charge, const v1::Binding& binding,
                   v1::HomeBinding& out);

}  // namespace homeslice::controller
