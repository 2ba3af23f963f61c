// Choices that this home agent's data plane makes for flows that begin, for whoever watches: the other home agents.
// Threads: any; watchers are called with a lock held, one batch at a time, and must not block or call back.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "noded/mobility/chosen_flow.h"
#include "noded/mobility/forwarder.h"

namespace homeslice::mobility {

class FlowNews {
public:
    using Watcher = std::function<void(const std::vector<ChosenFlow>&)>;
    // Returns an id for unwatch().
    uint64_t watch(Watcher watcher);
    // When it returns the watcher is not called any more.
    void unwatch(uint64_t id);
    void tell(const std::vector<ChosenFlow>& flows) const;

private:
    mutable std::mutex mutex_;
    std::map<uint64_t, Watcher> watchers_;
    uint64_t next_id_ = 1;
};

// Reads them out of the data plane, in a thread of its own: what comes within a hundredth of a second is one batch.
class FlowReader {
public:
    // Both outlive it.
    static absl::StatusOr<std::unique_ptr<FlowReader>> start(const Forwarder& forwarder, const FlowNews& news);
    virtual ~FlowReader() = default;
};

}  // namespace homeslice::mobility
