// A sliver's control group: CPU, memory, processes and disk throughput. Its bandwidth: resources_bandwidth.cpp.
#include <unistd.h>

#include <algorithm>

#include "base/status.h"
#include "noded/isolation/isolators.h"
#include "noded/isolation/resources_cpu_balancer.h"

namespace homeslice::isolation {
namespace {

class ResourcesIsolator : public Isolator {
public:
    ResourcesIsolator(const IsolationConfig& config, sys::Cgroups& cgroups)
        : parent_(config.cgroup_parent),
          store_(config.state_directory),
          cgroups_(cgroups),
          balancer_(config.cgroup_parent, cgroups) {}

    std::string name() const override { return "resources"; }

    // From an empty, new group, so that neither processes nor counters of an earlier start are in it.
    absl::Status prepare(Start& start) override {
        HS_RETURN_IF_ERROR(removeEarlier(start.spec, start.runtime));
        const std::string& group = start.runtime.cgroup;
        HS_ASSIGN_OR_RETURN(const sys::CgroupLimits limits, limitsOf(start.spec, Disk::if_limited));
        HS_RETURN_IF_ERROR(cgroups_.createGroup(group, limits));
        HS_RETURN_IF_ERROR(balancer_.add(group, cpuShareOf(start.spec)));
        start.clone.cgroup_v1_directories = cgroups_.v1Directories(group);
        start.clone.cgroup_v2_directory = cgroups_.v2Directory(group);
        return absl::OkStatus();
    }

    absl::Status attach(Start&, const launcher::Child&) override { return absl::OkStatus(); }

    absl::Status adopt(Start& start, const launcher::Child&) override {
        HS_ASSIGN_OR_RETURN(const sys::CgroupLimits limits, limitsOf(start.spec, Disk::if_limited));
        HS_RETURN_IF_ERROR(cgroups_.setFirstLimits(start.runtime.cgroup, limits));
        return balancer_.change(start.runtime.cgroup, cpuShareOf(start.spec));
    }

    absl::Status recover(const SliverSpec& spec, SliverRuntime& runtime) override {
        if (runtime.cgroup.empty()) runtime.cgroup = groupOf(spec);
        HS_RETURN_IF_ERROR(cgroups_.usage(runtime.cgroup).status());
        return balancer_.change(runtime.cgroup, cpuShareOf(spec));
    }

    absl::Status update(const SliverSpec& spec, SliverRuntime& runtime) override {
        HS_ASSIGN_OR_RETURN(const sys::CgroupLimits limits, limitsOf(spec, Disk::always));
        HS_RETURN_IF_ERROR(cgroups_.setLimits(runtime.cgroup, limits));
        return balancer_.change(runtime.cgroup, cpuShareOf(spec));
    }

    absl::Status cleanup(const SliverSpec& spec, SliverRuntime& runtime) override {
        if (runtime.cgroup.empty()) runtime.cgroup = groupOf(spec);
        HS_RETURN_IF_ERROR(cgroups_.killAll(runtime.cgroup));
        balancer_.remove(runtime.cgroup);
        HS_RETURN_IF_ERROR(cgroups_.deleteGroup(runtime.cgroup));
        // One that was made ahead had another name; the next start's has the sliver's.
        runtime.cgroup = groupOf(spec);
        return absl::OkStatus();
    }

    absl::Status destroy(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

private:
    // A limit of the disk that is lifted has to be taken off that disk; where there was none it need not be looked for.
    enum class Disk { if_limited, always };

    // Nearly always there is none, which takes less to see than to remove it all the same.
    absl::Status removeEarlier(const SliverSpec& spec, SliverRuntime& runtime) {
        const std::string group = groupOf(spec);
        const bool has_this_name = runtime.cgroup.empty() || runtime.cgroup == group;
        if (!has_this_name || exists(group)) return cleanup(spec, runtime);
        runtime.cgroup = group;
        return absl::OkStatus();
    }

    bool exists(const std::string& group) const {
        std::vector<std::string> directories = cgroups_.v1Directories(group);
        directories.push_back(cgroups_.v2Directory(group));
        return std::any_of(directories.begin(), directories.end(), [](const std::string& directory) {
            return !directory.empty() && ::access(directory.c_str(), F_OK) == 0;
        });
    }

    std::string groupOf(const SliverSpec& spec) const { return parent_ + "/" + spec.id.fileName(); }

    static CpuShare cpuShareOf(const SliverSpec& spec) {
        const Resources& wanted = spec.base.resources;
        return {.reservation_millis = wanted.cpu_reservation_millis, .weight = wanted.cpu_weight};
    }

    // The weight is missing: it depends on the other slivers' reservations, and is the balancer's.
    absl::StatusOr<sys::CgroupLimits> limitsOf(const SliverSpec& spec, Disk disk) const {
        const Resources& wanted = spec.base.resources;
        sys::CgroupLimits limits{.cpu_millis = wanted.cpu_millis,
                                 .cpuset = wanted.cpuset,
                                 .memory_bytes = wanted.memory_bytes,
                                 .memory_high_bytes = wanted.memory_high_bytes,
                                 .swap_bytes = wanted.swap_bytes,
                                 .pids = wanted.pids,
                                 .io_weight = wanted.io_weight,
                                 .io_read_bps = wanted.io_read_bps,
                                 .io_write_bps = wanted.io_write_bps,
                                 .io_read_iops = wanted.io_read_iops,
                                 .io_write_iops = wanted.io_write_iops};
        if (disk == Disk::if_limited && !limits.limitsIo()) return limits;
        const auto found = sys::diskOf(store_);
        if (found.ok()) limits.io_device = *found;
        if (!found.ok() && limits.limitsIo()) return withContext(found.status(), "io limits");
        return limits;
    }

    const std::string parent_;
    const std::string store_;
    sys::Cgroups& cgroups_;
    CpuBalancer balancer_;
};

}  // namespace

std::unique_ptr<Isolator> makeResourcesIsolator(const IsolationConfig& config, sys::Cgroups& cgroups) {
    return std::make_unique<ResourcesIsolator>(config, cgroups);
}

}  // namespace homeslice::isolation
