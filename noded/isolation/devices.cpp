#include <fcntl.h>

#include <optional>

#include "base/file.h"
#include "base/status.h"
#include "noded/isolation/isolators.h"
#include "noded/sys/cgroup_devices.h"

namespace homeslice::isolation {
namespace {

using sys::DeviceRule;

// admin-guide/devices.txt
const std::vector<DeviceRule> kAllowedDevices = {
    {.major = 1, .minor = 3},     // null
    {.major = 1, .minor = 5},     // zero
    {.major = 1, .minor = 7},     // full
    {.major = 1, .minor = 8},     // random
    {.major = 1, .minor = 9},     // urandom
    {.major = 5, .minor = 0},     // tty
    {.major = 5, .minor = 2},     // ptmx
    {.major = 136, .minor = {}},  // pts/*
};

// The second lock on a door. The first: nothing but these is in /dev, the root mount is nodev, and mknod(2) of a device
// fails in a user namespace.
class DevicesIsolator : public Isolator {
public:
    DevicesIsolator(sys::Cgroups& cgroups, std::optional<sys::DeviceProgram> program)
        : cgroups_(cgroups), program_(std::move(program)) {}

    std::string name() const override { return "devices"; }

    absl::Status prepare(Start& start) override {
        const std::string& group = start.runtime.cgroup;
        return program_ ? program_->attach(cgroups_.v2Directory(group)) : writeList(group);
    }

    absl::Status attach(Start&, const launcher::Child&) override { return absl::OkStatus(); }
    absl::Status adopt(Start&, const launcher::Child&) override { return absl::OkStatus(); }
    absl::Status recover(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }
    absl::Status cleanup(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }
    absl::Status destroy(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

private:
    absl::Status writeList(const std::string& group) const {
        HS_RETURN_IF_ERROR(writeControlFile(cgroups_.controlFile(1, "devices", group, "devices.deny"), "a"));
        HS_ASSIGN_OR_RETURN(const UniqueFd allow,
                            openFile(cgroups_.controlFile(1, "devices", group, "devices.allow"), O_WRONLY));
        for (const DeviceRule& rule : kAllowedDevices) {
            HS_RETURN_IF_ERROR_CTX(writeAll(allow.get(), rule.toString()), rule.toString());
        }
        return absl::OkStatus();
    }

    sys::Cgroups& cgroups_;
    const std::optional<sys::DeviceProgram> program_;  // where there is no v1 controller
};

}  // namespace

absl::StatusOr<std::unique_ptr<Isolator>> makeDevicesIsolator(sys::Cgroups& cgroups) {
    if (!cgroups.controlFile(1, "devices", "", "").empty()) {
        return std::make_unique<DevicesIsolator>(cgroups, std::nullopt);
    }
    HS_ASSIGN_OR_RETURN(sys::DeviceProgram program, sys::DeviceProgram::load(kAllowedDevices));
    return std::make_unique<DevicesIsolator>(cgroups, std::move(program));
}

}  // namespace homeslice::isolation
