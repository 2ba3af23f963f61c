// The lab's network: a namespace for every host, and a bridge in one more that links them.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "ctl/lab/plan.h"

namespace homeslice::ctl::lab {

// Namespaces, links, addresses and routes of the plan. The error names the host and the step.
absl::Status makeNetwork(const Plan& plan);

// The network namespace of that name, as `ip netns` knows it. NOT_FOUND when there is none.
absl::StatusOr<UniqueFd> openNamespace(const std::string& name);
// Names of the lab's namespaces that are there, whole or half made.
std::vector<std::string> labNamespaces();
absl::Status removeNamespace(const std::string& name);

// The first `ip netns add` since boot makes /run/netns a mount point.
bool isNetnsDirectoryMounted();
// Takes that back, unless there are namespaces in it.
void releaseNetnsDirectory();

}  // namespace homeslice::ctl::lab
