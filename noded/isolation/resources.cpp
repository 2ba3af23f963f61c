#include "base/status.h"
#include "noded/isolation/isolators.h"

namespace homeslice::isolation {
namespace {

class ResourcesIsolator : public Isolator {
public:
    ResourcesIsolator(std::string parent, sys::Cgroups& cgroups) : parent_(std::move(parent)), cgroups_(cgroups) {}

    std::string name() const override { return "resources"; }

    // From an empty, new group, so that neither processes nor counters of an earlier start are in it.
    absl::Status prepare(Start& start) override {
        HS_RETURN_IF_ERROR(cleanup(start.spec, start.runtime));
        const std::string& group = start.runtime.cgroup;
        const Resources& limits = start.spec.resources;
        HS_RETURN_IF_ERROR(cgroups_.createGroup(
            group, {.cpu_millis = limits.cpu_millis, .memory_bytes = limits.memory_bytes, .pids = limits.pids}));
        start.clone.cgroup_v1_directories = cgroups_.v1Directories(group);
        start.clone.cgroup_v2_directory = cgroups_.v2Directory(group);
        return absl::OkStatus();
    }

    absl::Status attach(Start&, const launcher::Child&) override { return absl::OkStatus(); }

    absl::Status recover(const SliverSpec& spec, SliverRuntime& runtime) override {
        runtime.cgroup = groupOf(spec);
        return cgroups_.usage(runtime.cgroup).status();
    }

    absl::Status cleanup(const SliverSpec& spec, SliverRuntime& runtime) override {
        runtime.cgroup = groupOf(spec);
        HS_RETURN_IF_ERROR(cgroups_.killAll(runtime.cgroup));
        return cgroups_.deleteGroup(runtime.cgroup);
    }

    absl::Status destroy(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

private:
    std::string groupOf(const SliverSpec& spec) const { return parent_ + "/" + spec.id.fileName(); }

    const std::string parent_;
    sys::Cgroups& cgroups_;
};

}  // namespace

std::unique_ptr<Isolator> makeResourcesIsolator(const std::string& cgroup_parent, sys::Cgroups& cgroups) {
    return std::make_unique<ResourcesIsolator>(cgroup_parent, cgroups);
}

}  // namespace homeslice::isolation
