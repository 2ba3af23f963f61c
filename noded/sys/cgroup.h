// Control groups of slivers, on hosts with cgroup v1, v2, or both at once ("hybrid"). cgroups(7), cgroup-v2.rst.
//
// A group is a name such as "homeslice/node1/web.2"; it stands for the directory of that name below every hierarchy
// that counts: those of the controllers cpu, cpuacct, cpuset, memory, pids, freezer, devices and blkio (io on v2), and
// the v2 tree also when it has no controllers, for cgroup.kill and cgroup.events. libcgroup finds the hierarchies; it
// is not thread safe, so one lock serialises it. Groups are made and removed, and limits written, directly: that takes
// a fraction of the time, the order matters, and errors have to name the file. Threads: any; one group by one thread at
// a time.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "noded/sys/cgroup_counter.h"
#include "noded/sys/cgroup_limits.h"

namespace homeslice::sys {

class ControllerFiles;
enum class GroupAge;

struct CgroupUsage {
    uint64_t memory_bytes = 0;
    uint64_t oom_kills = 0;  // processes of the group that the kernel killed at the group's memory limit
};

// A process that the kernel killed because its group was at the memory limit.
struct OomVictim {
    pid_t pid = 0;  // as the host counts
    std::string name;
};

// The last victim of the group, as long as the kernel's log remembers it.
std::optional<OomVictim> lastOomVictim(const std::string& group);

class Cgroups {
public:
    // Looks for the hierarchies. FAILED_PRECONDITION when cpu, memory or pids cannot be limited on this host.
    static absl::StatusOr<std::unique_ptr<Cgroups>> open();

    // Creates the group, its parents if need be, and writes the limits. Safe to repeat; in a group that is there
    // already the limits that are not asked for stay. FAILED_PRECONDITION, with the reason, for a limit that this host
    // cannot enforce.
    absl::Status createGroup(const std::string& group, const CgroupLimits& limits);
    // Replaces all limits of a group while its processes run. A memory limit under what is in use and cannot be
    // reclaimed: FAILED_PRECONDITION; nothing is killed for it, and that limit stays. After an error some limits may
    // be the new ones. NOT_FOUND when the group does not exist.
    absl::Status setLimits(const std::string& group, const CgroupLimits& limits);
    // The same for a group that createGroup() made without limits, and that has been given none since: only those that
    // are asked for are written.
    absl::Status setFirstLimits(const std::string& group, const CgroupLimits& limits);
    // Replaces the weight alone (1 to 10000), for a change that others' limits bring.
    absl::Status setCpuWeight(const std::string& group, uint32_t weight);
    // Replaces the cap alone (CgroupLimits::cpu_millis; 0 for none), also that of squeezeCpu().
    absl::Status setCpuCap(const std::string& group, uint32_t cpu_millis);
    // 2 ms of CPU time a second in place of the cap: the group goes on, and nobody beside it feels that.
    absl::Status squeezeCpu(const std::string& group);
    // Deletes an empty group without children; what is not there is fine. Waits a little for processes that are just
    // ending; UNAVAILABLE when some stay.
    absl::Status deleteGroup(const std::string& group);
    // SIGKILL to every process of the group, and waits until none is left; lifts its limits of CPU time and memory, so
    // that it does not take longer for them. DEADLINE_EXCEEDED after 10 seconds.
    absl::Status killAll(const std::string& group);

    // Stops every process of the group where it is, or lets them go on; returns when that is so, at once when it was.
    // NOT_FOUND when the group does not exist, DEADLINE_EXCEEDED after 10 seconds. Frozen processes can be killed.
    absl::Status freeze(const std::string& group, bool frozen);

    absl::StatusOr<std::vector<pid_t>> processes(const std::string& group) const;
    std::vector<pid_t> threads(const std::string& group) const;
    // So far: forks that were refused at the limit of processes, processes that were killed at that of memory, and CPU
    // time in microseconds.
    CgroupCounter refusedForks(const std::string& group) const;
    CgroupCounter oomKills(const std::string& group) const;
    CgroupCounter cpuMicros(const std::string& group) const;
    // NOT_FOUND when the group does not exist.
    absl::StatusOr<CgroupUsage> usage(const std::string& group) const;
    // Names of the groups directly below `parent` in any hierarchy.
    std::vector<std::string> children(const std::string& parent) const;

    // The group's v1 directories, one for each hierarchy.
    std::vector<std::string> v1Directories(const std::string& group) const;
    // Its v2 directory; empty on a host without cgroup v2.
    std::string v2Directory(const std::string& group) const;
    // A control file by controller ("memory") and name; empty when the controller is not mounted as `version`.
    std::string controlFile(int version, const std::string& controller, const std::string& group,
                            const std::string& file) const;

private:
    struct Controller {
        int version = 1;
        std::string mount;
    };
    Cgroups(std::map<std::string, Controller> controllers, std::string v2_mount)
        : controllers_(std::move(controllers)), v2_mount_(std::move(v2_mount)) {}

    std::vector<std::string> directories(const std::string& group) const;
    ControllerFiles filesOf(const std::string& controller, const std::string& group) const;
    absl::Status applyLimits(const std::string& group, const CgroupLimits& limits, GroupAge age) const;
    absl::StatusOr<bool> tryDelete(const std::string& group) const;
    // At once on a host without cgroup v2.
    absl::Status waitUntilEmpty(const std::string& group, Monotonic::time_point deadline) const;
    absl::Status killOneByOne(const std::string& group) const;
    void liftForTheDying(const std::string& group) const;
    absl::Status makeV2Group(const std::string& group) const;
    absl::Status inheritCpuset(const std::string& group) const;
    absl::StatusOr<std::string> inheritedCpuset(const std::string& group, const std::string& file) const;

    std::map<std::string, Controller> controllers_;
    std::string v2_mount_;
};

}  // namespace homeslice::sys
