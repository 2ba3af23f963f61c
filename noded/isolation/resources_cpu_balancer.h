// Keeps the weights of slivers' control groups at what CpuShares says, while slivers come, change and go.
//
// The caller's own group is written at once; those that change with it are written by a thread of its own a moment
// later, many changes in one go. While nobody has a reservation there is nothing for it to do. While somebody has, the
// group of all slivers weighs 10000 beside what else runs on the node, else 100.
// Threads: any.
#pragma once

#include <absl/status/status.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "noded/isolation/resources_cpu_shares.h"
#include "noded/sys/cgroup.h"

namespace homeslice::isolation {

class CpuBalancer {
public:
    // `parent`: the group of all slivers. `cgroups` outlives the balancer.
    CpuBalancer(std::string parent, sys::Cgroups& cgroups);
    ~CpuBalancer();

    // A group that was just made, whose weight is the kernel's default.
    absl::Status add(const std::string& group, const CpuShare& share);
    // A group that may have had another weight.
    absl::Status change(const std::string& group, const CpuShare& share);
    // Before the group is deleted. Safe to repeat.
    void remove(const std::string& group);

private:
    absl::Status set(const std::string& group, const CpuShare& share, uint32_t weight_so_far);
    void run();
    void writeChanges();
    void weighParents();

    const std::string parent_;
    sys::Cgroups& cgroups_;
    std::mutex mutex_;  // guards all below, and every write of a weight, so that the last one told is the last written
    std::condition_variable wake_;
    CpuShares shares_;
    bool parents_are_heavy_ = false;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace homeslice::isolation
