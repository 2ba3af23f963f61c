// Who may see an operation, and end it. Pure.
#pragma once

#include "controller/auth/rights.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// PERMISSION_DENIED names the right that is missing.
absl::Status checkOperationRight(const Caller& caller, const Operation& operation, const Snapshot& snapshot);

}  // namespace homeslice::controller
