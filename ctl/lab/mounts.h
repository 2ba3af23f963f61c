// Mounts of this mount namespace.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace homeslice::ctl::lab {

struct Mount {
    std::string point;
    std::string type;  // "cgroup2", "bpf", ...

    bool operator==(const Mount&) const = default;
};

// The lines of proc_pid_mountinfo(5), in their order; malformed ones are left out.
std::vector<Mount> parseMountInfo(const std::string& text);
absl::StatusOr<std::vector<Mount>> listMounts();
// Unmounts everything at or below `directory`, the newest first.
absl::Status unmountBelow(const std::string& directory);

}  // namespace homeslice::ctl::lab
