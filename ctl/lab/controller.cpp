#include "ctl/lab/controller.h"

#include <algorithm>
#include <iterator>

#include "base/status.h"
#include "ctl/lab/plan.h"
#include "ctl/lab/processes.h"

namespace homeslice::ctl::lab {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

// Passes a short time, unless there is a reason to wait no longer.
absl::Status waitOn(const std::vector<WatchedProgram>& watched, Deadline deadline, Cancellation& cancellation,
                    const std::string& what) {
    std::vector<UniqueFd> pidfds;
    for (const WatchedProgram& program : watched) {
        absl::StatusOr<UniqueFd> fd = openProcess(program.process);
        if (!fd.ok()) return internalError(program.name + " has ended");
        pidfds.push_back(*std::move(fd));
    }
    const int ended = waitForAnyEnd(pidfds, kLookAgain);
    if (ended >= 0) return internalError(watched[static_cast<size_t>(ended)].name + " has ended");
    if (cancellation.cancelled()) return cancelled("interrupted");
    if (std::chrono::steady_clock::now() > deadline) return deadlineExceeded(what);
    return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> waitForController(const std::vector<WatchedProgram>& watched, Deadline deadline,
                                                          Cancellation& cancellation) {
    for (;;) {
        absl::StatusOr<std::unique_ptr<Client>> client = Client::connect({controllerAddress(), ""}, cancellation);
        if (client.ok()) return client;
        HS_RETURN_IF_ERROR(waitOn(watched, deadline, cancellation, "sliced does not answer"));
    }
}

absl::Status waitForNodes(Client& client, uint32_t count, const std::vector<WatchedProgram>& watched, Deadline deadline,
                          Cancellation& cancellation, const std::function<void(uint32_t)>& progress) {
    for (;;) {
        HS_ASSIGN_OR_RETURN(const v1::ListNodesResponse response, client.listNodes());
        const auto ready = static_cast<uint32_t>(std::count_if(response.nodes().begin(), response.nodes().end(),
                                                               [](const v1::Node& node) { return node.ready(); }));
        progress(ready);
        if (ready >= count) return absl::OkStatus();
        const std::string late = "only " + std::to_string(ready) + " of " + std::to_string(count) + " nodes are ready";
        HS_RETURN_IF_ERROR(waitOn(watched, deadline, cancellation, late));
    }
}

}  // namespace homeslice::ctl::lab
