#include "noded/sliver/local_host.h"

#include <fcntl.h>
#include <unistd.h>

#include <future>

#include "base/log.h"
#include "base/status.h"
#include "noded/init/client.h"
#include "noded/isolation/disk.h"
#include "noded/migration/disk.h"

namespace homeslice::sliver {
namespace {

// The launcher reports a wait status a moment after the pidfd told of the end.
constexpr std::chrono::seconds kExitReport{1};

// What one that was made ahead cannot take in any more: its mounts are made, and its files have their names.
bool needsOwnEnvironment(const SliverTemplate& wanted) {
    return !wanted.volumes.empty() || !wanted.files.empty() || wanted.resources.disk_bytes != 0 ||
           wanted.resources.disk_medium != Resources().disk_medium;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Host>> LocalHost::open(const ManagerConfig& config, mobility::Forwarder& forwarder,
                                                      const AtStep& at_step) {
    HS_ASSIGN_OR_RETURN(auto cgroups, sys::Cgroups::open());
    std::unique_ptr<LocalHost> host(new LocalHost(config, std::move(cgroups)));
    HS_ASSIGN_OR_RETURN(auto isolators,
                        isolation::makeIsolators(host->isolation_config_, host->ids_, *host->cgroups_, forwarder));
    host->starter_ = std::make_unique<Starter>(
        std::move(isolators),
        Starter::Launching{
            .clone = [raw = host.get()](
                         const launcher::CloneRequest& request,
                         const launcher::Meanwhile& meanwhile) { return raw->clone(request, meanwhile); },
            .park = launcher::park,
            .assign = launcher::assign},
        at_step);
    HS_RETURN_IF_ERROR_CTX(host->connectLauncher(), "launcher");
    host->pool_ = std::make_unique<Pool>(
        config.pool, [raw = host.get()](const image::Image& image) { return raw->prepareAhead(image); },
        [raw = host.get()](Prepared prepared) { raw->starter_->discard(std::move(prepared)); });
    return host;
}

LocalHost::LocalHost(const ManagerConfig& config, std::unique_ptr<sys::Cgroups> cgroups)
    : config_(config),
      isolation_config_{.state_directory = config.state_directory,
                        .run_directory = config.run_directory,
                        .cgroup_parent = config.cgroup_parent,
                        .init_program = config.init_program,
                        .volumes = config.volumes},
      ids_(config.first_id, config.id_ranges),
      cgroups_(std::move(cgroups)),
      hog_watch_(*cgroups_) {}

absl::Status LocalHost::connectLauncher() {
    HS_ASSIGN_OR_RETURN(auto connected,
                        launcher::Launcher::connect(config_.launcher_program, config_.run_directory + "/launcher.sock",
                                                    [this](const sys::ProcessIdentity& process, int wait_status) {
                                                        noteExit(process, wait_status);
                                                    }));
    launcher_ = std::move(connected);
    return absl::OkStatus();
}

// A launcher that died is replaced: the slivers that it started live on without it.
absl::StatusOr<launcher::Child> LocalHost::clone(const launcher::CloneRequest& request,
                                                 const launcher::Meanwhile& meanwhile) {
    std::shared_ptr<launcher::Launcher> current;
    {
        const std::lock_guard lock(launcher_mutex_);
        current = launcher_;
    }
    absl::StatusOr<launcher::Child> child = current->clone(request, meanwhile);
    if (child.status().code() != absl::StatusCode::kUnavailable) return child;
    {
        const std::lock_guard lock(launcher_mutex_);
        if (launcher_ == current) {
            logWarning("the launcher is gone ({}); starting another", messageOf(child.status()));
            HS_RETURN_IF_ERROR(connectLauncher());
        }
        current = launcher_;
    }
    return current->clone(request);
}

absl::Status LocalHost::reserve(const isolation::SliverRuntime& runtime) {
    return runtime.ids.count == 0 ? absl::OkStatus() : ids_.reserve(runtime.ids);
}

isolation::SliverRuntime LocalHost::rediscover(const SliverId& id) const {
    return isolation::rediscover(isolation_config_, *cgroups_, id);
}

absl::StatusOr<Started> LocalHost::start(const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                         const image::Image& image, const std::function<absl::Status()>& persist) {
    HS_ASSIGN_OR_RETURN(Started started, startOrAdopt(spec, runtime, image, persist));
    hog_watch_.watch(runtime.cgroup, spec.base.resources.cpu_millis);
    return started;
}

absl::StatusOr<Started> LocalHost::startOrAdopt(const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                                const image::Image& image,
                                                const std::function<absl::Status()>& persist) {
    // A disk that is here has its own owner.
    if (runtime.ids.count != 0 || needsOwnEnvironment(spec.base)) return starter_->start(spec, runtime, image, persist);
    std::optional<Prepared> prepared = pool_->take(image);
    if (!prepared) return starter_->start(spec, runtime, image, persist);
    return starter_->adopt(std::move(*prepared), spec, runtime, image, persist);
}

absl::StatusOr<Prepared> LocalHost::prepareAhead(const image::Image& image) {
    isolation::SliverRuntime runtime;
    HS_ASSIGN_OR_RETURN(runtime.ids, ids_.allocate());
    SliverSpec name;
    name.id = isolation::nameAhead(runtime.ids);
    return starter_->prepareAhead(name, runtime, image);
}

absl::StatusOr<UniqueFd> LocalHost::find(const sys::ProcessIdentity& process) { return sys::openProcess(process); }

absl::Status LocalHost::recover(const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    HS_RETURN_IF_ERROR(starter_->recover(spec, runtime));
    // The noded before may have slowed it down.
    HS_RETURN_IF_ERROR(cgroups_->setCpuCap(runtime.cgroup, spec.base.resources.cpu_millis));
    hog_watch_.watch(runtime.cgroup, spec.base.resources.cpu_millis);
    return absl::OkStatus();
}

absl::Status LocalHost::update(const SliverSpec& before, const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    HS_RETURN_IF_ERROR(starter_->update(before, spec, runtime));
    hog_watch_.watch(runtime.cgroup, spec.base.resources.cpu_millis);
    return absl::OkStatus();
}

absl::Status LocalHost::freeze(const isolation::SliverRuntime& runtime, bool frozen) {
    if (frozen) hog_watch_.release(runtime.cgroup);
    HS_RETURN_IF_ERROR(cgroups_->freeze(runtime.cgroup, frozen));
    if (!frozen) hog_watch_.resume(runtime.cgroup);
    return absl::OkStatus();
}

absl::Status LocalHost::requestStop(const isolation::SliverRuntime& runtime, const StopPolicy& policy) {
    hog_watch_.release(runtime.cgroup);
    return init::stop(runtime.controlSocket(), policy.grace, policy.signal);
}

absl::Status LocalHost::kill(const isolation::SliverRuntime& runtime) {
    hog_watch_.release(runtime.cgroup);
    return cgroups_->killAll(runtime.cgroup);
}

absl::Status LocalHost::cleanup(const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    hog_watch_.forget(runtime.cgroup);
    return starter_->cleanup(spec, runtime);
}

absl::Status LocalHost::destroy(const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    return starter_->destroy(spec, runtime);
}

Ending LocalHost::ending(const isolation::SliverRuntime& runtime, const sys::ProcessIdentity& process) {
    Ending ending;
    if (const auto status = init::readExitStatus(runtime.logDirectory()); status.ok()) ending.command_status = *status;
    if (!ending.command_status) ending.wait_status = waitStatus(process);
    if (const auto usage = cgroups_->usage(runtime.cgroup); usage.ok()) ending.oom_kills = usage->oom_kills;
    return ending;
}

void LocalHost::noteExit(const sys::ProcessIdentity& process, int wait_status) {
    {
        const std::lock_guard lock(exits_mutex_);
        exits_[process.pid] = {.process = process, .wait_status = wait_status};
    }
    exits_changed_.notify_all();
}

std::optional<int> LocalHost::waitStatus(const sys::ProcessIdentity& process) {
    std::unique_lock lock(exits_mutex_);
    const auto reported = [&] {
        const auto found = exits_.find(process.pid);
        return found != exits_.end() && found->second.process == process;
    };
    if (!exits_changed_.wait_for(lock, kExitReport, reported)) return std::nullopt;
    const int wait_status = exits_.at(process.pid).wait_status;
    exits_.erase(process.pid);
    return wait_status;
}

sys::CgroupUsage LocalHost::usage(const isolation::SliverRuntime& runtime) const {
    return cgroups_->usage(runtime.cgroup).value_or(sys::CgroupUsage{});
}

absl::Status LocalHost::importDisk(const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                   const std::function<absl::Status()>& persist,
                                   const std::function<absl::Status(int fd)>& write) {
    if (runtime.ids.count == 0) {
        HS_ASSIGN_OR_RETURN(runtime.ids, ids_.allocate());
    }
    runtime.directory = config_.state_directory + "/slivers/" + spec.id.fileName();
    HS_RETURN_IF_ERROR(persist());
    HS_RETURN_IF_ERROR(isolation::makeSliverDirectories(runtime));
    HS_ASSIGN_OR_RETURN(const isolation::DiskInUse disk, isolation::DiskInUse::make(spec, runtime));
    HS_ASSIGN_OR_RETURN(const std::string incoming, isolation::makeIncomingDisk(runtime));
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return errnoStatus(errno, "pipe2");
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    auto writing = std::async(std::launch::async, [&writer, &write] {
        absl::Status status = write(writer.get());
        writer.reset();  // end of file for the reader
        return status;
    });
    const absl::Status imported = migration::importDisk(reader.get(), incoming, runtime.ids.first);
    reader.reset();  // a writer that still has something to write gets EPIPE
    // When the source failed the archive ends early: the source's own words are the better ones.
    HS_RETURN_IF_ERROR_CTX(writing.get(), "fetch the disk");
    if (!imported.ok()) return withContext(imported, "import the disk");
    return isolation::replaceDisk(runtime);
}

absl::Status LocalHost::exportDisk(const SliverSpec& spec, const isolation::SliverRuntime& runtime, int fd) {
    HS_ASSIGN_OR_RETURN(const isolation::DiskInUse disk, isolation::DiskInUse::make(spec, runtime));
    return migration::exportDisk(runtime.upperDirectory(), runtime.ids.first, fd);
}

absl::Status LocalHost::removeOrphans(const isolation::KnownSlivers& known) {
    return isolation::removeOrphans(isolation_config_, ids_, *cgroups_, known);
}

}  // namespace homeslice::sliver
