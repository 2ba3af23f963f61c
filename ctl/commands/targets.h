// The slivers that a command is about.
#pragma once

#include <absl/status/statusor.h>
#include <homeslice/v1/controller.pb.h>

#include <vector>

#include "ctl/client/client.h"
#include "ctl/commands/parse.h"

namespace homeslice::ctl {

// The id of a reference to one sliver.
v1::SliverId idOf(const SliverRef& ref);

// The one sliver that `ref` names, or all of its slice in the order of their indexes: never none.
absl::StatusOr<std::vector<v1::SliverId>> targetsOf(Client& client, const SliverRef& ref);

}  // namespace homeslice::ctl
