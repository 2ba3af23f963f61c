// What noded remembers of a sliver: written before it acts, read after it died.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "noded/isolation/isolator.h"
#include "noded/sliver/state.h"
#include "noded/store/key_value_store.h"
#include "noded/sys/process.h"
#include "spec/sliver_spec.h"

namespace homeslice::sliver {

struct Record {
    SliverSpec spec;
    isolation::SliverRuntime runtime;
    State state = State::pending;
    std::string reason;
    int exit_status = 0;
    int64_t running_since_us = 0;
    uint64_t disk_generation = 0;  // the newest generation that the local disk ran under; 0: no disk
    sys::ProcessIdentity process;  // of the sliver's PID 1; pid 0: none
    uint32_t restarts = 0;         // by the restart policy, since it was last asked to start
    bool broken = false;           // could not be read: spec.id, state failed and reason are all there is
};

std::string toJson(const Record& record);
absl::StatusOr<Record> parseRecord(const std::string& json);

// The store's table of slivers. Threads: any.
class Records {
public:
    explicit Records(store::KeyValueStore& store) : store_(store) {}

    // Every record. One that cannot be read is kept in the store and comes as `broken`; one under a key that is no
    // sliver's is logged and kept.
    absl::StatusOr<std::vector<Record>> load();
    absl::Status save(const Record& record);
    absl::Status erase(const SliverId& id);

private:
    store::KeyValueStore& store_;
};

}  // namespace homeslice::sliver
