#include "noded/sliver/state.h"

#include <algorithm>

#include "base/status.h"

namespace homeslice::sliver {
namespace {

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
    {State::running, State::frozen},     {State::frozen, State::running},
    {State::frozen, State::stopping},    {State::frozen, State::exited},
    {State::frozen, State::failed},   // killed from outside
    {State::running, State::exited},  // the command ended by itself
    {State::running, State::failed},  // ended from outside
    {State::stopping, State::stopped},   {State::stopped, State::preparing},
    {State::stopped, State::failed},     {State::stopped, State::deleting},
    {State::exited, State::preparing},   {State::exited, State::stopped},
    {State::exited, State::deleting},    {State::failed, State::preparing},  // the next try
    {State::failed, State::stopped},     {State::failed, State::deleting},
};

}  // namespace

absl::Status checkTransition(State from, State to) {
    const bool known = std::any_of(std::begin(kArrows), std::end(kArrows),
                                   [&](const Arrow& arrow) { return arrow.from == from && arrow.to == to; });
    if (known) return absl::OkStatus();
    return internalError(std::string("no transition from ") + toString(from) + " to " + toString(to));
}

}  // namespace homeslice::sliver
