#include "noded/sliver/node_manager.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/defer.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/sliver/health_checks.h"
#include "noded/sliver/recovery.h"
#include "noded/sliver/slivers.h"
#include "noded/sliver/steps.h"
#include "noded/sliver/supervisor.h"
#include "noded/sliver/work_queue.h"

namespace homeslice::sliver {
namespace {

constexpr unsigned kWorkers = 4;

class NodeManager : public Manager {
public:
    NodeManager(std::unique_ptr<Host> host, const Dependencies& dependencies)
        : dependencies_(dependencies),
          host_(std::move(host)),
          slivers_(dependencies.store, dependencies.changed),
          health_(
              {.run = [this](const SliverId& id, init::ExecRequest request) { return exec(id, std::move(request)); },
               .is_running = [this](const SliverId& id) { return isRunning(id); },
               .changed =
                   [this] {
                       shares_.look();
                       if (dependencies_.changed) dependencies_.changed();
                   }}),
          shares_({.gateway = dependencies.gateway,
                   .health = [this](const SliverId& id) { return health_.health(id); },
                   .connections = openConnections,
                   .serve =
                       [this](const SliverSpec& spec, bool serves) {
                           const absl::Status told = dependencies_.forwarder.setServing(spec.home_address, serves);
                           if (!told.ok()) logWarning("sliver {}: {}", spec.id.toString(), messageOf(told));
                       }}),
          queue_(kWorkers, [this](const SliverId& id) { return steps_->reconcile(id); }) {}

    ~NodeManager() override {
        queue_.stop();
        health_.stop();
        supervisor_.reset();
    }

    absl::Status begin() {
        HS_ASSIGN_OR_RETURN(supervisor_, Supervisor::create([this](const SliverId& id) { onEnd(id); }));
        steps_ = std::make_unique<Steps>(slivers_, *host_, *supervisor_, health_, shares_, dependencies_);
        HS_RETURN_IF_ERROR(recoverSlivers(slivers_, *host_, *steps_));
        removeUnusedImages();
        slivers_.forEach([this](const Sliver& sliver) { queue_.add(sliver.record.spec.id); });
        return absl::OkStatus();
    }

    void setDesired(Desired desired) override {
        for (const SliverId& id : slivers_.setDesired(desired)) queue_.add(id);
    }

    uint64_t desiredRevision() const override { return slivers_.desiredRevision().value_or(0); }

    std::vector<SliverReport> reports() const override;
    absl::StatusOr<std::unique_ptr<init::RunningCommand>> exec(const SliverId& id, init::ExecRequest request) override;
    absl::StatusOr<std::string> logDirectory(const SliverId& id) const override;
    absl::Status exportDisk(const SliverId& id, uint64_t generation, int fd) override;
    std::string inspect() const override;
    std::pair<uint32_t, uint32_t> poolLevel() const override {
        const PoolLevel level = host_->poolLevel();
        return {level.size, level.ready};
    }

private:
    struct Known {
        Record record;
        bool alive = false;
        bool stale = false;          // not (yet) as desired
        bool change_failed = false;  // with stale: what `reason` is about
        std::string image_digest;    // of what it is to be
        uint32_t failures = 0;
    };
    std::vector<Known> known() const;
    absl::StatusOr<Record> find(const SliverId& id) const;
    void onEnd(const SliverId& id);
    void removeUnusedImages();
    absl::StatusOr<Record> beginExport(const SliverId& id, uint64_t generation);
    bool isRunning(const SliverId& id) const;
    SliverReport reportOf(const Known& known) const;

    const Dependencies dependencies_;
    const std::unique_ptr<Host> host_;
    Slivers slivers_;
    std::unique_ptr<Supervisor> supervisor_;
    HealthChecks health_;
    SliceShares shares_;
    std::unique_ptr<Steps> steps_;
    WorkQueue queue_;  // last: its workers use the rest
};

// The news may be of an earlier process than the one that lives now.
void NodeManager::onEnd(const SliverId& id) {
    slivers_.with(id, [](Sliver& sliver) {
        const int watched = sliver.lifeline.valid() ? sliver.lifeline.get() : sliver.pidfd.get();
        if (sliver.pidfd.valid() && sys::waitForEnd(watched, std::chrono::milliseconds(0)).value_or(true)) {
            sliver.pidfd.reset();
            sliver.lifeline.reset();
        }
    });
    queue_.add(id);
}

// Only now: nothing can be about to start from an image that no sliver has, before there are workers at work.
void NodeManager::removeUnusedImages() {
    std::vector<std::string> used;
    bool all_known = true;
    slivers_.forEach([&](const Sliver& sliver) {
        all_known = all_known && !sliver.record.broken;
        used.push_back(sliver.record.spec.base.image_digest);
    });
    if (!all_known) return;
    const absl::Status removed = dependencies_.images.collectGarbage(used);
    if (!removed.ok()) logWarning("images that no sliver uses: {}", messageOf(removed));
}

std::vector<NodeManager::Known> NodeManager::known() const {
    std::vector<Known> all;
    slivers_.forEach([&](const Sliver& sliver) {
        all.push_back(
            {.record = sliver.record,
             .alive = sliver.pidfd.valid(),
             .stale = sliver.desired && sliver.record.spec != *sliver.desired,
             .change_failed = sliver.update_retry.failures > 0,
             .image_digest = sliver.desired ? sliver.desired->base.image_digest : sliver.record.spec.base.image_digest,
             .failures = sliver.retry.failures + sliver.update_retry.failures});
    });
    return all;
}

SliverReport NodeManager::reportOf(const Known& known) const {
    const Record& record = known.record;
    const sys::CgroupUsage usage = known.alive ? host_->usage(record.runtime) : sys::CgroupUsage{};
    SliverReport report{.id = record.spec.id,
                        .generation = record.spec.generation,
                        .state = record.state,
                        .reason = record.reason,
                        .exit_status = record.exit_status,
                        .running_since_us = record.running_since_us,
                        .image_ready = dependencies_.images.has(known.image_digest),
                        .memory_bytes = usage.memory_bytes,
                        .health = known.alive ? health_.health(record.spec.id) : Health::none,
                        .stale = known.stale,
                        .restarts = record.restarts};
    // A reason beside a change that is under way would be taken for its failure.
    if (known.alive && known.stale) {
        if (!known.change_failed) report.reason.clear();
        return report;
    }
    // The group is as old as the start: what was killed in it was killed in this life.
    if (usage.oom_kills > 0 && report.reason.empty()) {
        report.reason = describeOomKills(usage.oom_kills, record.spec.base.resources);
    }
    return report;
}

std::vector<SliverReport> NodeManager::reports() const {
    std::vector<SliverReport> reports;
    for (const Known& each : known()) reports.push_back(reportOf(each));
    return reports;
}

bool NodeManager::isRunning(const SliverId& id) const {
    const auto record = find(id);
    return record.ok() && record->state == State::running;
}

absl::StatusOr<Record> NodeManager::find(const SliverId& id) const {
    std::optional<Record> record = slivers_.record(id);
    if (!record) return notFound("no sliver " + id.toString() + " on this node");
    return std::move(*record);
}

absl::StatusOr<std::unique_ptr<init::RunningCommand>> NodeManager::exec(const SliverId& id, init::ExecRequest request) {
    HS_ASSIGN_OR_RETURN(const Record record, find(id));
    if (record.state != State::running) {
        return failedPrecondition("sliver " + id.toString() + " is " + toString(record.state) + ", not running" +
                                  (record.reason.empty() ? "" : " (" + record.reason + ")"));
    }
    return init::exec(record.runtime.controlSocket(), std::move(request));
}

absl::StatusOr<std::string> NodeManager::logDirectory(const SliverId& id) const {
    HS_ASSIGN_OR_RETURN(const Record record, find(id));
    const std::string directory = record.runtime.logDirectory();
    std::error_code error;
    const bool begun = !record.runtime.directory.empty() && std::filesystem::is_directory(directory, error);
    if (!begun) return failedPrecondition("sliver " + id.toString() + " has not been started here yet: it has no log");
    return directory;
}

absl::StatusOr<Record> NodeManager::beginExport(const SliverId& id, uint64_t generation) {
    absl::StatusOr<Record> exported = notFound("no sliver " + id.toString() + " on this node");
    slivers_.with(id, [&](Sliver& sliver) {
        const Record& record = sliver.record;
        // The stop may have come with a generation of its own.
        const bool same = record.disk_generation == generation || record.spec.generation == generation;
        if (record.state != State::stopped || !same || record.disk_generation == 0) {
            exported = failedPrecondition("sliver " + id.toString() + " is " + toString(record.state) +
                                          " here with a disk of generation " + std::to_string(record.disk_generation) +
                                          "; asked for was one stopped with generation " + std::to_string(generation));
            return;
        }
        ++sliver.exports;
        exported = record;
    });
    return exported;
}

absl::Status NodeManager::exportDisk(const SliverId& id, uint64_t generation, int fd) {
    HS_ASSIGN_OR_RETURN(const Record record, beginExport(id, generation));
    const Defer end([this, &id] {
        slivers_.with(id, [](Sliver& sliver) { --sliver.exports; });
        queue_.add(id);
    });
    return host_->exportDisk(record.spec, record.runtime, fd);
}

std::string NodeManager::inspect() const {
    nlohmann::json all = nlohmann::json::array();
    for (const Known& each : known()) {
        nlohmann::json believed = nlohmann::json::parse(toJson(each.record), nullptr, false);
        all.push_back({{"sliver", each.record.spec.id.toString()},
                       {"record", std::move(believed)},
                       {"failures", each.failures},
                       {"kernel",
                        {{"process_alive", host_->find(each.record.process).ok()},
                         {"memory_bytes", host_->usage(each.record.runtime).memory_bytes}}}});
    }
    return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Manager>> createManager(std::unique_ptr<Host> host,
                                                       const Manager::Dependencies& dependencies) {
    auto manager = std::make_unique<NodeManager>(std::move(host), dependencies);
    HS_RETURN_IF_ERROR(manager->begin());
    return manager;
}

}  // namespace homeslice::sliver
