// What a noded that starts does about the slivers of the one before.
#pragma once

#include <absl/status/status.h>

#include "noded/sliver/host.h"
#include "noded/sliver/slivers.h"
#include "noded/sliver/steps.h"

namespace homeslice::sliver {

// Loads the records; re-adopts what lives, undoes what had been begun, removes what no record knows. Fails only when
// the records as a whole cannot be read: then nothing is touched. Before any worker runs.
absl::Status recoverSlivers(Slivers& slivers, Host& host, Steps& steps);

}  // namespace homeslice::sliver
