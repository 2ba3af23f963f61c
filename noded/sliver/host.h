// What the slivers' manager needs of the machine. LocalHost is the real one.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <functional>
#include <memory>

#include "base/unique_fd.h"
#include "noded/image/store.h"
#include "noded/isolation/isolator.h"
#include "noded/isolation/orphans.h"
#include "noded/sliver/ending.h"
#include "noded/sys/cgroup.h"
#include "noded/sys/process.h"
#include "spec/sliver_spec.h"

namespace homeslice::sliver {

struct Started {
    sys::ProcessIdentity process;
    UniqueFd pidfd;
    UniqueFd lifeline;  // at end of file sooner than the pidfd tells; invalid: none
};

// Environments made ahead, for slivers to come.
struct PoolLevel {
    uint32_t size = 0;  // as many are wanted
    uint32_t ready = 0;
};

// Threads: any, one at a time per sliver. All but start() and importDisk() may be repeated.
class Host {
public:
    virtual ~Host() = default;

    // Takes what a record says is held (the id range), before anything else is started. ALREADY_EXISTS when another
    // sliver holds it.
    virtual absl::Status reserve(const isolation::SliverRuntime& runtime) = 0;
    // What the machine itself shows of a sliver whose record cannot be read.
    virtual isolation::SliverRuntime rediscover(const SliverId& id) const = 0;
    // Isolates and starts. `persist` is called when `runtime` is filled in, before there is a process; its failure ends
    // the start. After a failure nothing is left but the disk.
    virtual absl::StatusOr<Started> start(const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                          const image::Image& image, const std::function<absl::Status()>& persist) = 0;
    // A pidfd of the process; NOT_FOUND when it has ended.
    virtual absl::StatusOr<UniqueFd> find(const sys::ProcessIdentity& process) = 0;
    // Takes over a sliver that lives.
    virtual absl::Status recover(const SliverSpec& spec, isolation::SliverRuntime& runtime) = 0;
    // Gives a living sliver, which is as `before` says, the resources and exposed ports of `spec`. After a failure it
    // has those of `before`, as far as the machine lets it.
    virtual absl::Status update(const SliverSpec& before, const SliverSpec& spec,
                                isolation::SliverRuntime& runtime) = 0;
    // Returns when all its processes stand still, or may run again.
    virtual absl::Status freeze(const isolation::SliverRuntime& runtime, bool frozen) = 0;
    // The policy's signal inside, SIGKILL after its grace. Returns at once.
    virtual absl::Status requestStop(const isolation::SliverRuntime& runtime, const StopPolicy& policy) = 0;
    // SIGKILL to everything in it; returns when nothing is left.
    virtual absl::Status kill(const isolation::SliverRuntime& runtime) = 0;
    // Everything but the disk; kills what still runs.
    virtual absl::Status cleanup(const SliverSpec& spec, isolation::SliverRuntime& runtime) = 0;
    // The disk and the id range; after cleanup().
    virtual absl::Status destroy(const SliverSpec& spec, isolation::SliverRuntime& runtime) = 0;
    // How the process ended. Before cleanup().
    virtual Ending ending(const isolation::SliverRuntime& runtime, const sys::ProcessIdentity& process) = 0;
    // All 0 when it is not known.
    virtual sys::CgroupUsage usage(const isolation::SliverRuntime& runtime) const = 0;
    // Replaces the disk by what `write` writes; `persist` as with start(). Until the whole disk is here and on stable
    // storage the earlier one is kept. The program ignores SIGPIPE.
    virtual absl::Status importDisk(const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                    const std::function<absl::Status()>& persist,
                                    const std::function<absl::Status(int fd)>& write) = 0;
    // Writes the disk of a stopped sliver to `fd` (migration/disk.h).
    virtual absl::Status exportDisk(const SliverSpec& spec, const isolation::SliverRuntime& runtime, int fd) = 0;
    virtual PoolLevel poolLevel() const { return {}; }
    virtual absl::Status removeOrphans(const isolation::KnownSlivers& known) = 0;
};

}  // namespace homeslice::sliver
