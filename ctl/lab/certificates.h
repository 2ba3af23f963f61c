// The lab's authority and the nodes' certificates, made as on a real site: by `sliced init`, and by redeeming one-time
// tokens.
#pragma once

#include <absl/status/status.h>

#include "ctl/client/client.h"
#include "ctl/lab/plan.h"

namespace homeslice::ctl::lab {

// Both do nothing where it has been done.
absl::Status makeAuthority(const Plan& plan);
// The controller must answer.
absl::Status enrolNodes(const Plan& plan, Client& client);

}  // namespace homeslice::ctl::lab
