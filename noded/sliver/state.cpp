#include "noded/sliver/state.h"

#include <algorithm>
#include <array>

#include "base/status.h"

namespace homeslice::sliver {
namespace {

constexpr std::array<const char*, 9> kNames = {"pending", "preparing", "starting", "running", "stopping",
                                               "stopped", "exited",    "failed",   "deleting"};

struct Arrow {
    State from;
    State to;
};

// The table of docs/design/life-of-a-sliver.md. What has no arrow does not happen.
constexpr Arrow kArrows[] = {
    {State::pending, State::preparing},  // to run, or to have the image ready
    {State::pending, State::stopped},    // it is to be known here, not to run
    {State::pending, State::failed},     {State::pending, State::deleting},
    {State::preparing, State::starting},  // image and disk are here
    {State::preparing, State::pending},   // noded died meanwhile
    {State::preparing, State::stopped},  {State::preparing, State::failed},
    {State::preparing, State::deleting}, {State::starting, State::running},
    {State::starting, State::pending},  // noded died meanwhile; what had been made was undone
    {State::starting, State::failed},    {State::running, State::stopping},
    {State::running, State::exited},  // the command ended by itself
    {State::running, State::failed},  // ended from outside
    {State::stopping, State::stopped},   {State::stopped, State::preparing},
    {State::stopped, State::failed},     {State::stopped, State::deleting},
    {State::exited, State::preparing},   {State::exited, State::stopped},
    {State::exited, State::deleting},    {State::failed, State::preparing},  // the next try
    {State::failed, State::stopped},     {State::failed, State::deleting},
};

}  // namespace

const char* toString(State state) { return kNames.at(static_cast<size_t>(state)); }

absl::StatusOr<State> parseState(const std::string& text) {
    const auto found = std::find(kNames.begin(), kNames.end(), text);
    if (found == kNames.end()) return invalidArgument("'" + text + "' is no state of a sliver");
    return static_cast<State>(found - kNames.begin());
}

absl::Status checkTransition(State from, State to) {
    const bool known = std::any_of(std::begin(kArrows), std::end(kArrows),
                                   [&](const Arrow& arrow) { return arrow.from == from && arrow.to == to; });
    if (known) return absl::OkStatus();
    return internalError(std::string("no transition from ") + toString(from) + " to " + toString(to));
}

}  // namespace homeslice::sliver
