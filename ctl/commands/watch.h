// Lists that go on with what changes, and `slicectl watch`.
#pragma once

#include <homeslice/v1/controller.pb.h>

#include <string>

#include "ctl/commands/context.h"

namespace homeslice::ctl {

// `ls --watch` of nodes, slices or slivers (`slice` empty: of all): the list, then a row for each change, until
// interrupted. As JSON a line for each.
absl::StatusOr<int> watchList(Context& context, v1::WatchKind kind, const std::string& slice);

inline constexpr char kWatchHelp[] = "Go on with a row for each change";

}  // namespace homeslice::ctl
