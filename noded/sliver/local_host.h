// The machine that noded runs on.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>

#include "noded/isolation/hog_watch.h"
#include "noded/isolation/id_pool.h"
#include "noded/isolation/isolators.h"
#include "noded/launcher/client.h"
#include "noded/mobility/forwarder.h"
#include "noded/sliver/host.h"
#include "noded/sliver/manager.h"
#include "noded/sliver/pool.h"
#include "noded/sliver/starter.h"
#include "noded/sys/cgroup.h"

namespace homeslice::sliver {

class LocalHost : public Host {
public:
    // Finds the cgroup hierarchies, installs sliver-init, connects to the launcher or starts it.
    static absl::StatusOr<std::unique_ptr<Host>> open(const ManagerConfig& config, mobility::Forwarder& forwarder,
                                                      const AtStep& at_step);

    absl::Status reserve(const isolation::SliverRuntime& runtime) override;
    isolation::SliverRuntime rediscover(const SliverId& id) const override;
    absl::StatusOr<Started> start(const SliverSpec& spec, isolation::SliverRuntime& runtime, const image::Image& image,
                                  const std::function<absl::Status()>& persist) override;
    PoolLevel poolLevel() const override { return {.size = pool_->size(), .ready = pool_->ready()}; }
    absl::StatusOr<UniqueFd> find(const sys::ProcessIdentity& process) override;
    absl::Status recover(const SliverSpec& spec, isolation::SliverRuntime& runtime) override;
    absl::Status update(const SliverSpec& before, const SliverSpec& spec, isolation::SliverRuntime& runtime) override;
    absl::Status freeze(const isolation::SliverRuntime& runtime, bool frozen) override;
    absl::Status requestStop(const isolation::SliverRuntime& runtime, const StopPolicy& policy) override;
    absl::Status kill(const isolation::SliverRuntime& runtime) override;
    absl::Status cleanup(const SliverSpec& spec, isolation::SliverRuntime& runtime) override;
    absl::Status destroy(const SliverSpec& spec, isolation::SliverRuntime& runtime) override;
    Ending ending(const isolation::SliverRuntime& runtime, const sys::ProcessIdentity& process) override;
    sys::CgroupUsage usage(const isolation::SliverRuntime& runtime) const override;
    absl::Status importDisk(const SliverSpec& spec, isolation::SliverRuntime& runtime,
                            const std::function<absl::Status()>& persist,
                            const std::function<absl::Status(int fd)>& write) override;
    absl::Status exportDisk(const SliverSpec& spec, const isolation::SliverRuntime& runtime, int fd) override;
    absl::Status removeOrphans(const isolation::KnownSlivers& known) override;

private:
    LocalHost(const ManagerConfig& config, std::unique_ptr<sys::Cgroups> cgroups);

    absl::Status connectLauncher();
    absl::StatusOr<Started> startOrAdopt(const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                         const image::Image& image, const std::function<absl::Status()>& persist);
    absl::StatusOr<Prepared> prepareAhead(const image::Image& image);
    absl::StatusOr<launcher::Child> clone(const launcher::CloneRequest& request, const launcher::Meanwhile& meanwhile);
    void noteExit(const sys::ProcessIdentity& process, int wait_status);
    std::optional<int> waitStatus(const sys::ProcessIdentity& process);

    const ManagerConfig config_;
    const isolation::IsolationConfig isolation_config_;
    isolation::IdPool ids_;
    const std::unique_ptr<sys::Cgroups> cgroups_;
    isolation::HogWatch hog_watch_;
    std::unique_ptr<Starter> starter_;

    struct Exit {
        sys::ProcessIdentity process;
        int wait_status = 0;
    };
    std::mutex exits_mutex_;
    std::condition_variable exits_changed_;
    std::map<pid_t, Exit> exits_;  // by pid: at most as many as there are pids

    std::mutex launcher_mutex_;
    std::shared_ptr<launcher::Launcher> launcher_;  // its thread calls noteExit()
    std::unique_ptr<Pool> pool_;                    // last: its thread uses all the others
};

}  // namespace homeslice::sliver
