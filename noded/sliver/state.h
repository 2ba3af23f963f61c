// The life of a sliver on a node: states and the one table of transitions. See docs/design/life-of-a-sliver.md.
#pragma once

#include <absl/status/status.h>

#include "spec/sliver_state.h"

namespace homeslice::sliver {

using State = SliverState;

// OK when the table has an arrow from `from` to `to`, else INTERNAL naming both.
absl::Status checkTransition(State from, State to);

}  // namespace homeslice::sliver
