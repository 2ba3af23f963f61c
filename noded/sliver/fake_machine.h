// A machine for tests of the manager: slivers are event counters instead of processes, everything that is done to them
// is written down, and every step can be made to fail.
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "noded/image/store.h"
#include "noded/mobility/access_gateway.h"
#include "noded/sliver/host.h"

namespace homeslice::sliver {

// Outlives the hosts, as slivers outlive noded.
class FakeMachine {
public:
    void note(const std::string& event) {
        {
            const std::lock_guard lock(mutex_);
            events_.push_back(event);
        }
        if (on_event) on_event();
    }
    std::vector<std::string> events() {
        const std::lock_guard lock(mutex_);
        return events_;
    }
    size_t count(const std::string& event) {
        const std::lock_guard lock(mutex_);
        return static_cast<size_t>(std::count(events_.begin(), events_.end(), event));
    }
    void clearEvents() {
        const std::lock_guard lock(mutex_);
        events_.clear();
    }
    // Makes `event` fail from now on; "" makes nothing fail.
    void fail(const std::string& event) {
        const std::lock_guard lock(mutex_);
        failing_ = event;
    }
    absl::Status step(const std::string& event) {
        note(event);
        const std::lock_guard lock(mutex_);
        return event == failing_ ? internalError(event + " was made to fail") : absl::OkStatus();
    }

    Started spawn() {
        const std::lock_guard lock(mutex_);
        const sys::ProcessIdentity identity{.pid = ++last_pid_, .start_time = 1, .boot_id = "boot"};
        processes_[identity.pid] = UniqueFd(::eventfd(0, EFD_CLOEXEC));
        return {.process = identity, .pidfd = pidfdOf(identity.pid), .lifeline = UniqueFd()};
    }
    absl::StatusOr<UniqueFd> find(pid_t pid) {
        const std::lock_guard lock(mutex_);
        if (!processes_.contains(pid)) return notFound("no process " + std::to_string(pid));
        return pidfdOf(pid);
    }
    // The newest process ends, as a command that ends with this status does.
    void end(std::optional<int> status, uint64_t oom_kills = 0) {
        const std::lock_guard lock(mutex_);
        ending_ = {.command_status = status, .wait_status = std::nullopt, .oom_kills = oom_kills};
        for (const auto& [pid, process] : processes_) ::eventfd_write(process.get(), 1);
        processes_.clear();
    }
    Ending ending() {
        const std::lock_guard lock(mutex_);
        return ending_;
    }
    size_t running() {
        const std::lock_guard lock(mutex_);
        return processes_.size();
    }

    std::function<void()> on_event;          // set before anything is noted
    std::set<std::string> known_to_records;  // of the last removeOrphans()
    bool obeys_stop = true;
    std::atomic<uint64_t> kills_so_far = 0;  // of what runs, for lack of memory

private:
    UniqueFd pidfdOf(pid_t pid) { return UniqueFd(::fcntl(processes_.at(pid).get(), F_DUPFD_CLOEXEC, 0)); }

    std::mutex mutex_;
    std::vector<std::string> events_;
    std::string failing_;
    pid_t last_pid_ = 100;
    std::map<pid_t, UniqueFd> processes_;
    Ending ending_;
};

class FakeHost : public Host {
public:
    explicit FakeHost(FakeMachine& machine) : machine_(machine) {}

    absl::Status reserve(const isolation::SliverRuntime&) override { return machine_.step("reserve"); }
    isolation::SliverRuntime rediscover(const SliverId&) const override {
        isolation::SliverRuntime runtime;
        runtime.ids = {.first = 2'000'000, .count = 65536};
        return runtime;
    }
    absl::StatusOr<Started> start(const SliverSpec&, isolation::SliverRuntime& runtime, const image::Image&,
                                  const std::function<absl::Status()>& persist) override {
        runtime.ids = {.first = 1'000'000, .count = 65536};
        HS_RETURN_IF_ERROR(persist());
        HS_RETURN_IF_ERROR(machine_.step("start"));
        return machine_.spawn();
    }
    absl::StatusOr<UniqueFd> find(const sys::ProcessIdentity& process) override { return machine_.find(process.pid); }
    absl::Status recover(const SliverSpec&, isolation::SliverRuntime&) override { return machine_.step("recover"); }
    absl::Status update(const SliverSpec&, const SliverSpec&, isolation::SliverRuntime&) override {
        return machine_.step("update");
    }
    absl::Status freeze(const isolation::SliverRuntime&, bool frozen) override {
        return machine_.step(frozen ? "freeze" : "thaw");
    }
    absl::Status requestStop(const isolation::SliverRuntime&, const StopPolicy&) override {
        HS_RETURN_IF_ERROR(machine_.step("stop"));
        if (machine_.obeys_stop) machine_.end(143);
        return absl::OkStatus();
    }
    absl::Status kill(const isolation::SliverRuntime&) override {
        machine_.note("kill");
        machine_.end(std::nullopt);
        return absl::OkStatus();
    }
    absl::Status cleanup(const SliverSpec&, isolation::SliverRuntime&) override { return machine_.step("cleanup"); }
    absl::Status destroy(const SliverSpec&, isolation::SliverRuntime&) override { return machine_.step("destroy"); }
    Ending ending(const isolation::SliverRuntime&, const sys::ProcessIdentity&) override { return machine_.ending(); }
    sys::CgroupUsage usage(const isolation::SliverRuntime&) const override {
        return {.memory_bytes = 4096, .oom_kills = machine_.kills_so_far};
    }
    absl::Status importDisk(const SliverSpec&, isolation::SliverRuntime&, const std::function<absl::Status()>& persist,
                            const std::function<absl::Status(int fd)>& write) override {
        HS_RETURN_IF_ERROR(persist());
        HS_RETURN_IF_ERROR(machine_.step("import"));
        return write(-1);
    }
    absl::Status exportDisk(const SliverSpec&, const isolation::SliverRuntime&, int) override {
        return machine_.step("export");
    }
    absl::Status removeOrphans(const isolation::KnownSlivers& known) override {
        machine_.known_to_records = known.file_names;
        return machine_.step("orphans");
    }

private:
    FakeMachine& machine_;
};

// Keeps the images whose digests are in `images`; fetching adds one.
class FakeImages : public image::Store {
public:
    bool has(const std::string& digest) const override {
        const std::lock_guard lock(mutex_);
        return images_.contains(digest);
    }
    absl::StatusOr<image::Image> get(const std::string& digest) const override {
        if (!has(digest)) return notFound(digest);
        return image::Image{.digest = digest, .rootfs = "/", .config = {}};
    }
    absl::StatusOr<image::Image> ensure(const std::string& digest, const image::Fetch& fetch) override {
        if (!has(digest)) HS_RETURN_IF_ERROR(fetch(digest, -1));
        const std::lock_guard lock(mutex_);
        images_.insert(digest);
        return image::Image{.digest = digest, .rootfs = "/", .config = {}};
    }
    absl::Status collectGarbage(const std::vector<std::string>& kept) override {
        const std::lock_guard lock(mutex_);
        std::erase_if(images_,
                      [&](const auto& image) { return std::find(kept.begin(), kept.end(), image) == kept.end(); });
        return absl::OkStatus();
    }

private:
    mutable std::mutex mutex_;
    std::set<std::string> images_;
};

class FakeGateway : public mobility::AccessGateway {
public:
    explicit FakeGateway(FakeMachine& machine) : machine_(machine) {}

    void setHomeAgents(const std::vector<mobility::HomeAgentAddress>&) override {}
    void bind(const mobility::BindingKey& key, const mobility::Grant& grant,
              const mobility::BindingTerms& /*terms*/) override {
        machine_.note("bind " + std::to_string(key.binding_id) + " gen " + std::to_string(grant.generation));
    }
    void unbind(const mobility::BindingKey& key) override { machine_.note("unbind " + std::to_string(key.binding_id)); }
    std::vector<Registration> registrations() override { return {}; }
    std::optional<Ipv6Address> homeAgent() override { return std::nullopt; }
    Refusals refusals() override { return {}; }
    absl::Status waitRegistered(const mobility::BindingKey&, uint64_t, std::chrono::milliseconds) override {
        return absl::OkStatus();
    }

private:
    FakeMachine& machine_;
};

}  // namespace homeslice::sliver
