// Waiting for the lab's controller and nodes.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "ctl/client/cancellation.h"
#include "ctl/client/client.h"
#include "ctl/lab/start.h"

namespace homeslice::ctl::lab {

using Deadline = std::chrono::steady_clock::time_point;

// Both fail with INTERNAL as soon as one of `watched` ends, with DEADLINE_EXCEEDED when it takes too long, and with
// CANCELLED on interruption.
absl::StatusOr<std::unique_ptr<Client>> waitForController(const std::vector<WatchedProgram>& watched, Deadline deadline,
                                                          Cancellation& cancellation);
// Until `count` nodes, the home agent among them, are ready. `progress` gets how many are.
absl::Status waitForNodes(Client& client, uint32_t count, const std::vector<WatchedProgram>& watched, Deadline deadline,
                          Cancellation& cancellation, const std::function<void(uint32_t)>& progress);

}  // namespace homeslice::ctl::lab
