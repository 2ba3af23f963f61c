// A command in one sliver, with the user's own input and output.
#pragma once

#include <absl/status/statusor.h>
#include <homeslice/v1/node.pb.h>

#include "ctl/client/client.h"
#include "ctl/commands/context.h"

namespace homeslice::ctl {

// Runs `start` and answers its exit status. Input and output pass as they are, so that `exec web/1 -- cat file > copy`
// is exact. With a terminal (`start.tty`) the user's own, if there is one, is raw meanwhile: its size and type are
// passed on, and control-P control-Q detaches, which is a success.
absl::StatusOr<int> runSession(Context& context, Client& client, v1::ExecStart start);

}  // namespace homeslice::ctl
