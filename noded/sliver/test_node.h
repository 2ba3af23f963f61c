// A node for privileged tests: the real manager, launcher, sliver-init, isolators, store and image store, in a network
// namespace of the test's own; only the data plane is left out. Everything is gone when it goes.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "noded/mobility/fake_forwarder.h"
#include "noded/sliver/manager.h"
#include "noded/sys/cgroup.h"

namespace homeslice::sliver {

struct CommandResult {
    int status = -1;
    std::string output;  // stdout and stderr
};

class TestNode {
public:
    // Moves the process to a network namespace of its own, once; before it has threads.
    static absl::Status enterNetwork();

    // With all its files in a new directory in `parent`.
    static absl::StatusOr<std::unique_ptr<TestNode>> create(const std::string& name, uint32_t pool = 0,
                                                            const std::string& parent = "/tmp");
    ~TestNode();

    // noded ends and starts again; its slivers do not.
    absl::Status restart();
    // As restart(), with every record gone.
    absl::Status restartWithoutRecords();
    // noded ends, starts again in a process of its own, is given this picture, and is killed after `delay`.
    absl::Status killDuring(const std::vector<SliverSpec>& slivers, std::chrono::milliseconds delay);
    // The same, killed by itself when `step` of this picture is done (AtStep), the `nth` time. NOT_FOUND when it never
    // is.
    absl::Status killAt(const std::vector<SliverSpec>& slivers, const std::string& step, int nth = 1);
    // The same, of a start that takes an environment made ahead, by a noded that has one.
    absl::Status killAtAdoption(const SliverSpec& spec, const std::string& step);
    // From now on steps are written down; from the beginning at each restart.
    void recordSteps();
    std::vector<std::string> steps() const;
    Manager& manager() { return *manager_; }

    // A sliver that idles unless given a command.
    SliverSpec sliver(uint32_t index, std::vector<std::string> argv = {}) const;
    void desire(std::vector<SliverSpec> slivers);
    SliverReport report(const SliverId& id) const;
    bool reaches(const SliverId& id, State state);
    bool removesAll();
    template <typename Condition>
    bool eventually(Condition condition);

    // Runs a shell command inside.
    CommandResult run(const SliverId& id, const std::string& command);
    // What a start leaves on the machine: links, mounts, groups, processes, directories; sorted.
    std::vector<std::string> footprint() const;
    std::string cgroupOf(const SliverId& id) const { return config_.cgroup_parent + "/" + id.fileName(); }
    sys::Cgroups& cgroups() { return *cgroups_; }
    mobility::FakeForwarder& forwarder() { return forwarder_; }
    pid_t firstProcess(const SliverId& id) const;
    const std::string& volume() const { return config_.volumes.front(); }  // a directory that slivers may be given
    std::string sliverDirectory(const SliverId& id) const {
        return config_.state_directory + "/slivers/" + id.fileName();
    }
    // Writes rubbish into a sliver's record; noded is restarted.
    absl::Status breakRecord(const SliverId& id);
    // Where an importing node gets its disks.
    std::function<absl::Status(const SliverId&, const DiskSource&, int fd)> fetch_disk;

private:
    TestNode() = default;
    absl::Status build(const std::string& name, const std::string& parent);
    absl::Status packImage();
    void stop();
    void atStep(const std::string& step);
    void dieAt(const std::string& step, int nth);
    absl::Status killItself(const std::function<bool()>& work);
    bool waitForChange(uint64_t seen, Monotonic::time_point deadline);

    class NullGateway;
    std::string directory_;
    std::string archive_;
    std::string digest_;
    ManagerConfig config_;
    mobility::FakeForwarder forwarder_;
    std::unique_ptr<mobility::AccessGateway> gateway_;
    std::unique_ptr<store::KeyValueStore> store_;
    std::unique_ptr<image::Store> images_;
    std::unique_ptr<sys::Cgroups> cgroups_;
    uint64_t revision_ = 0;
    mutable std::mutex mutex_;
    std::optional<std::vector<std::string>> steps_;  // if they are written down
    std::string fatal_step_;                         // in the process that is to be killed
    int steps_left_ = 0;
    std::condition_variable changed_;
    uint64_t changes_ = 0;
    std::unique_ptr<Manager> manager_;
};

template <typename Condition>
bool TestNode::eventually(Condition condition) {
    const auto deadline = Monotonic::now() + std::chrono::seconds(30);
    for (;;) {
        uint64_t seen = 0;
        {
            const std::lock_guard lock(mutex_);
            seen = changes_;
        }
        if (condition()) return true;
        if (!waitForChange(seen, deadline)) return false;
    }
}

}  // namespace homeslice::sliver
