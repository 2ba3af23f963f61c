// The slivers' health checks: each sliver's command is run inside again and again, and what it says is kept.
//
// A sliver is starting until its check succeeds; it is unhealthy after so many failures in a row, and healthy again
// after one success. After a failure that is not the last of them it is asked again at once, a quarter of a second
// later. Failures in the start period do not count, nor does a check of a sliver that does not run (it is frozen). A
// few threads wait for all: each has a share of the slivers, and sleeps until one is due or one has ended. Threads:
// any.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "noded/init/client.h"
#include "spec/sliver_spec.h"
#include "spec/sliver_state.h"

namespace homeslice::sliver {

class HealthChecks {
public:
    // All are called from the threads.
    struct Dependencies {
        std::function<absl::StatusOr<std::unique_ptr<init::RunningCommand>>(const SliverId&, init::ExecRequest)> run;
        std::function<bool(const SliverId&)> is_running;
        std::function<void()> changed;  // some sliver's health
    };
    explicit HealthChecks(Dependencies dependencies);
    ~HealthChecks();

    // Begins, for a sliver that has just started, or goes on with a check that has changed. One without a command ends
    // it.
    void watch(const SliverId& id, const HealthCheck& check);
    // Ends what is being run.
    void forget(const SliverId& id);
    Health health(const SliverId& id) const;
    // Ends the threads; from then on nothing is called.
    void stop();

private:
    static constexpr size_t kThreads = 4;
    class Share;
    Share& shareOf(const SliverId& id) const;

    const Dependencies dependencies_;
    std::array<std::unique_ptr<Share>, kThreads> shares_;
};

}  // namespace homeslice::sliver
