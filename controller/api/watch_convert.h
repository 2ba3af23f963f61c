// Watch's messages. What comes from outside is checked; what goes out cannot fail.
#pragma once

#include <absl/status/statusor.h>

#include "controller/core/watch.h"
#include "homeslice/v1/controller.pb.h"

namespace homeslice::controller {

absl::StatusOr<WatchRequest> fromWatch(const Caller& caller, const v1::WatchRequest& request);
void toProto(const WatchBatch& batch, v1::WatchResponse& out);

}  // namespace homeslice::controller
