// Looks after one sliver at a time: decides on its next step and does it, until nothing is left to do.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <optional>

#include "noded/sliver/decision.h"
#include "noded/sliver/health_checks.h"
#include "noded/sliver/host.h"
#include "noded/sliver/manager.h"
#include "noded/sliver/slice_shares.h"
#include "noded/sliver/slivers.h"
#include "noded/sliver/supervisor.h"

namespace homeslice::sliver {

class Steps {
public:
    // All outlive this.
    Steps(Slivers& slivers, Host& host, Supervisor& supervisor, HealthChecks& health, SliceShares& shares,
          const Manager::Dependencies& dependencies)
        : slivers_(slivers),
          host_(host),
          supervisor_(supervisor),
          health_(health),
          shares_(shares),
          dependencies_(dependencies) {}

    // A worker's look (WorkQueue::Work).
    std::optional<std::chrono::milliseconds> reconcile(const SliverId& id);

    // Waits for the end of a living sliver.
    absl::Status supervise(const SliverId& id, UniqueFd pidfd, UniqueFd lifeline);
    // Registers its addresses, checks its health.
    void takeUp(const SliverSpec& spec);

private:
    struct Next {
        Step step = Step::none;
        Monotonic::time_point not_before{};
    };
    Next next(const SliverId& id);
    absl::Status perform(const SliverId& id, Step step);
    // Puts the failure into the record, and returns when to try again.
    std::chrono::milliseconds backOff(const SliverId& id, Step step, const absl::Status& status);

    absl::Status start(const SliverId& id);
    absl::Status prepareImage(const SliverId& id);
    absl::Status importDisk(const SliverSpec& spec);
    absl::Status launch(const SliverSpec& spec, const image::Image& image);
    absl::Status settle(const SliverId& id);
    absl::Status cleanUp(const SliverId& id);
    absl::Status requestStop(const SliverId& id);
    absl::Status forceEnd(const SliverId& id);
    absl::Status finishStop(const SliverId& id);
    absl::Status markStopped(const SliverId& id);
    absl::Status update(const SliverId& id);
    absl::Status freeze(const SliverId& id);
    absl::Status thaw(const SliverId& id);
    absl::Status remove(const SliverId& id);

    // Takes the desired spec over and moves to `state`, in memory; gives the spec. Comes to nothing when the sliver is
    // not desired any more, or when its disk is being read.
    absl::StatusOr<SliverSpec> begin(const SliverId& id, State state);
    // Writes and tells what has been noted.
    absl::Status remember(const SliverId& id);
    absl::StatusOr<Record> recordOf(const SliverId& id);
    absl::Status cleanup(const SliverId& id, const Record& record);
    // Undoes takeUp().
    void leave(const SliverSpec& spec);
    static uint32_t restartsOf(const Sliver& sliver);
    void reached(const std::string& step) const {
        if (dependencies_.at_step) dependencies_.at_step(step);
    }

    Slivers& slivers_;
    Host& host_;
    Supervisor& supervisor_;
    HealthChecks& health_;
    SliceShares& shares_;
    const Manager::Dependencies& dependencies_;
};

}  // namespace homeslice::sliver
