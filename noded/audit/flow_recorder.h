// Brings the data plane's flow records into the log every few seconds, with the names of those whose they are, and
// answers questions. Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "noded/audit/flow_log.h"
#include "noded/audit/owners.h"
#include "noded/mobility/forwarder.h"
#include "spec/slice_names.h"

namespace homeslice::audit {

class FlowRecorder {
public:
    struct Config {
        std::string path;  // of the log
        std::chrono::seconds keep = std::chrono::hours(24 * 7);
        Ipv6Address care_of_address;  // stands for all slivers of the node in questions
        std::chrono::milliseconds interval = std::chrono::seconds(5);
    };
    // `forwarder` outlives it.
    static absl::StatusOr<std::unique_ptr<FlowRecorder>> start(const Config& config, mobility::Forwarder& forwarder);
    ~FlowRecorder();
    FlowRecorder(const FlowRecorder&) = delete;
    FlowRecorder& operator=(const FlowRecorder&) = delete;

    // Whose home addresses are, from now on.
    void setNames(const NameTable& table);
    // Brings in what has just been sent, then looks. A question about the care-of address is one about all slivers.
    absl::StatusOr<FoundFlows> find(FlowQuestion question);

private:
    FlowRecorder(const Config& config, FlowLog log, mobility::Forwarder& forwarder);
    void run();
    // With the lock held.
    absl::Status collect();
    Flow flowOf(const mobility::FlowRecord& record) const;

    const Config config_;
    mobility::Forwarder& forwarder_;
    // One offset for as long as noded runs: a flow's beginning is part of its key.
    const Utc::duration since_epoch_;

    std::mutex mutex_;  // guards all below
    std::condition_variable wake_;
    FlowLog log_;
    Owners owners_;
    bool knows_names_ = false;
    Monotonic::time_point collected_{};  // up to then
    Monotonic::time_point trimmed_{};
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace homeslice::audit
