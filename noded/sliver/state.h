// The life of a sliver on a node: states and the one table of transitions. See docs/design/life-of-a-sliver.md.
#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace homeslice::sliver {

enum class State { pending, preparing, starting, running, stopping, stopped, exited, failed, deleting };

const char* toString(State state);
absl::StatusOr<State> parseState(const std::string& text);

// OK when the table has an arrow from `from` to `to`, else INTERNAL naming both.
absl::Status checkTransition(State from, State to);

}  // namespace homeslice::sliver
