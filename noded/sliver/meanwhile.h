// A step that came to nothing because the picture changed under it; no failure.
#pragma once

#include <absl/status/status.h>

#include "spec/sliver_id.h"

namespace homeslice::sliver {

absl::Status changedMeanwhile(const SliverId& id);
bool isChangedMeanwhile(const absl::Status& status);

}  // namespace homeslice::sliver
