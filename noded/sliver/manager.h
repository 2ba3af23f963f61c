// All slivers of a node: takes the desired picture, makes it so, tells what is.
//
// Level triggered: setDesired() replaces the whole picture; workers reconcile each sliver, one step at a time, and try
// again with back-off after a failure. Threads: any; callbacks come from the manager's workers and must not block.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "noded/image/store.h"
#include "noded/init/client.h"
#include "noded/isolation/isolator.h"
#include "noded/mobility/access_gateway.h"
#include "noded/mobility/forwarder.h"
#include "noded/sliver/state.h"
#include "noded/store/key_value_store.h"
#include "spec/sliver_spec.h"

namespace homeslice::sliver {

struct SliverReport {
    SliverId id;
    uint64_t generation = 0;
    State state = State::pending;
    std::string reason;
    int exit_status = 0;           // with exited
    int64_t running_since_us = 0;  // Unix microseconds; 0 unless running
    bool image_ready = false;
    uint64_t memory_bytes = 0;  // in use
    Health health = Health::none;
    bool stale = false;     // not (yet) as desired; `reason` says what stands against it, if anything does
    uint32_t restarts = 0;  // by the restart policy, since it was last asked to start
};

struct Desired {
    uint64_t revision = 0;
    std::vector<SliverSpec> slivers;
};

// Told of every step of a start, a stop and a removal, when it is done; `step` names it ("prepare network").
using AtStep = std::function<void(const std::string& step)>;

struct ManagerConfig {
    std::string node_name;
    std::string state_directory;   // slivers/ below it
    std::string run_directory;     // launcher.sock and slivers/ below it
    std::string cgroup_parent;     // "homeslice/<node name>"
    std::string launcher_program;  // paths of the two static programs
    std::string init_program;
    uint32_t first_id = 1'000'000;  // host ids for slivers: ranges of 65536 from here
    uint32_t id_ranges = 4096;
    std::vector<std::string> volumes{};  // directories of the node that slivers may be given, with all below them
    uint32_t pool = 0;                   // environments prepared for slivers to come
};

class Manager {
public:
    struct Dependencies {
        store::KeyValueStore& store;
        image::Store& images;
        mobility::Forwarder& forwarder;
        mobility::AccessGateway& gateway;
        // Blocking; called from workers.
        image::Fetch fetch_image;
        // Writes the disk of `id` as exported by the source node into `fd` (see migration/disk.h).
        std::function<absl::Status(const SliverId& id, const DiskSource& source, int fd)> fetch_disk;
        // Called after every change of any report.
        std::function<void()> changed;
        // For tests of what noded's death leaves; from workers.
        AtStep at_step = nullptr;
    };
    // Loads the records, re-adopts the slivers that live, cleans up after those that do not, then starts the workers.
    static absl::StatusOr<std::unique_ptr<Manager>> create(const ManagerConfig& config,
                                                           const Dependencies& dependencies);
    // Stops the workers; leaves the slivers running.
    virtual ~Manager() = default;

    virtual void setDesired(Desired desired) = 0;
    // Of the newest picture taken in; 0 before the first.
    virtual uint64_t desiredRevision() const = 0;
    virtual std::vector<SliverReport> reports() const = 0;

    // FAILED_PRECONDITION unless it is running (a frozen sliver is not).
    virtual absl::StatusOr<std::unique_ptr<init::RunningCommand>> exec(const SliverId& id,
                                                                       init::ExecRequest request) = 0;
    // Where the sliver's log is kept (host path; init/log_format.h), from its first start on this node until it is
    // removed. FAILED_PRECONDITION before.
    virtual absl::StatusOr<std::string> logDirectory(const SliverId& id) const = 0;
    // Writes the disk of a stopped sliver to `fd`. FAILED_PRECONDITION unless it is stopped here with this generation.
    virtual absl::Status exportDisk(const SliverId& id, uint64_t generation, int fd) = 0;
    // Environments made ahead: {wanted, there}.
    virtual std::pair<uint32_t, uint32_t> poolLevel() const = 0;
    // What the manager believes and what the kernel says of each sliver, JSON.
    virtual std::string inspect() const = 0;
};

}  // namespace homeslice::sliver
