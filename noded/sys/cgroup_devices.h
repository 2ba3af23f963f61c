// The devices that the processes of a control group may open: an allow-list, all others are refused with EPERM.
//
// On cgroup v1 the devices controller keeps it (devices.rst, DeviceRule::toString()); v2 has no such controller, and
// a BPF program of type cgroup_device at the group decides instead (cgroup-v2.rst, "Device controller").
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::sys {

struct DeviceRule {
    enum class Type { character, block };
    Type type = Type::character;
    uint32_t major = 0;
    std::optional<uint32_t> minor;  // unset: all
    bool read = true;
    bool write = true;
    bool mknod = false;

    // As devices.allow takes it: "c 1:3 rw".
    std::string toString() const;
};

class DeviceProgram {
public:
    // INVALID_ARGUMENT when there are more rules than jumps can pass (about 1000).
    static absl::StatusOr<DeviceProgram> load(const std::vector<DeviceRule>& allowed);

    // Holds for the group and all below it, until the group is deleted, also when this object
    // is gone. A later one takes the place of an earlier. `v2_directory` is the group's.
    absl::Status attach(const std::string& v2_directory) const;

private:
    explicit DeviceProgram(UniqueFd program) : program_(std::move(program)) {}
    UniqueFd program_;
};

}  // namespace homeslice::sys
