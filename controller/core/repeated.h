// Requests that come again under their id. Internal to core.
#pragma once

#include <absl/status/status.h>

#include <string>

#include "base/reason.h"
#include "base/status.h"
#include "controller/model/model.h"

namespace homeslice::controller {

// INVALID_ARGUMENT, REQUEST_ID_REUSED: the id was of another request, which began `operation`.
inline absl::Status requestIdReused(const std::string& request_id, const Operation& operation) {
    return because(invalidArgument("request id '" + request_id + "' was used for another request"),
                   reason::kRequestIdReused, {{"operation", operation.id}});
}

}  // namespace homeslice::controller
