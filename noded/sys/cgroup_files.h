// The control files of one controller in one group, and how each kind of limit is written to them. Internal to
// Cgroups.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "noded/sys/cgroup_limits.h"

namespace homeslice::sys {

// A new group has no limits, so that nothing has to be written for those that are not asked for.
enum class GroupAge { fresh, existing };

class ControllerFiles {
public:
    // `directory` is the group's in the controller's hierarchy.
    ControllerFiles(int version, std::string directory) : version_(version), directory_(std::move(directory)) {}

    bool isV2() const { return version_ == 2; }
    const std::string& directory() const { return directory_; }
    bool has(const std::string& file) const;
    absl::StatusOr<uint64_t> readNumber(const std::string& file) const;
    absl::StatusOr<std::string> read(const std::string& file) const;
    // FAILED_PRECONDITION when the kernel has no such file.
    absl::Status write(const std::string& file, const std::string& value) const;
    // Writes `wanted` when `is_set`; else what means "none", if the file is there and the group may have had a limit.
    absl::Status set(const std::string& file, bool is_set, const std::string& wanted, GroupAge age,
                     const std::string& none) const;

private:
    int version_;
    std::string directory_;
};

absl::Status limitCpu(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age);
absl::Status limitCpuset(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age);
absl::Status limitMemory(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age);
absl::Status limitPids(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age);
absl::Status limitIo(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age);

}  // namespace homeslice::sys
