// The slivers' parts in their slices' addresses: registers each at the home agents, on the terms of its spec. A sliver
// that is unhealthy leaves the set, and that of its node; with balance least-load the connections that it has open are
// told every second. Threads: any.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "noded/mobility/access_gateway.h"
#include "spec/sliver_spec.h"
#include "spec/sliver_state.h"

namespace homeslice::sliver {

// TCP connections that are open in the network namespace of the process; 0 when it is gone.
uint32_t openConnections(pid_t process);

class SliceShares {
public:
    // All outlive this. Called from any thread, with a lock held: they must not call back.
    struct Dependencies {
        mobility::AccessGateway& gateway;
        std::function<Health(const SliverId&)> health;
        std::function<uint32_t(pid_t)> connections;
        // Whether the sliver takes part among those of this node (Forwarder::setServing()).
        std::function<void(const SliverSpec&, bool)> serve;
    };
    explicit SliceShares(Dependencies dependencies);
    ~SliceShares();

    // Registers the sliver whose PID 1 is `process`, or tells what has changed in its spec.
    void take(const SliverSpec& spec, pid_t process);
    // Deregisters it. Fine for one that was never taken.
    void leave(const SliverSpec& spec);
    // Some sliver's health has changed.
    void look();

private:
    struct Share {
        SliverSpec spec;
        pid_t process = 0;
        std::optional<mobility::BindingTerms> told;  // none: not registered
        uint64_t generation = 0;                     // told with them
        std::optional<bool> serves;                  // among those of this node; none: not said yet
    };
    void watch();
    void tell(Share& share);
    bool hasReports() const;

    const Dependencies dependencies_;
    std::mutex mutex_;  // guards all below
    std::condition_variable wake_;
    std::map<SliverId, Share> shares_;
    bool looks_ = false;
    bool stopping_ = false;
    std::thread watcher_;
};

}  // namespace homeslice::sliver
