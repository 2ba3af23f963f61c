#include "base/file.h"
#include "base/status.h"
#include "noded/isolation/isolators.h"

namespace homeslice::isolation {
namespace {

// devices.rst: type major:minor access.
const std::vector<std::string> kAllowedDevices = {
    "c 1:3 rw",    // null
    "c 1:5 rw",    // zero
    "c 1:7 rw",    // full
    "c 1:8 rw",    // random
    "c 1:9 rw",    // urandom
    "c 5:0 rw",    // tty
    "c 5:2 rw",    // ptmx
    "c 136:* rw",  // pts/*
};

// The second lock on a door. The first: nothing but these is in /dev, the root mount is nodev, and mknod(2) of a device
// fails in a user namespace. Hosts without the v1 controller have the first alone.
class DevicesIsolator : public Isolator {
public:
    explicit DevicesIsolator(sys::Cgroups& cgroups) : cgroups_(cgroups) {}

    std::string name() const override { return "devices"; }

    absl::Status prepare(Start& start) override {
        const std::string deny = file(start.runtime, "devices.deny");
        if (deny.empty()) return absl::OkStatus();
        HS_RETURN_IF_ERROR(writeControlFile(deny, "a"));
        for (const std::string& device : kAllowedDevices) {
            HS_RETURN_IF_ERROR_CTX(writeControlFile(file(start.runtime, "devices.allow"), device), device);
        }
        return absl::OkStatus();
    }

    absl::Status attach(Start&, const launcher::Child&) override { return absl::OkStatus(); }
    absl::Status recover(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }
    absl::Status cleanup(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }
    absl::Status destroy(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

private:
    std::string file(const SliverRuntime& runtime, const std::string& name) const {
        return cgroups_.controlFile(1, "devices", runtime.cgroup, name);
    }

    sys::Cgroups& cgroups_;
};

}  // namespace

std::unique_ptr<Isolator> makeDevicesIsolator(sys::Cgroups& cgroups) {
    return std::make_unique<DevicesIsolator>(cgroups);
}

}  // namespace homeslice::isolation
