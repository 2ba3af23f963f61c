// What a control group may use. One set of values for cgroup v1 and v2; docs/design/resources.md has the table of the
// files that each becomes.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <set>
#include <string>

namespace homeslice::sys {

// A disk, as the kernel numbers it. 0:0 is none.
struct BlockDevice {
    uint32_t major = 0;
    uint32_t minor = 0;

    bool operator==(const BlockDevice&) const = default;
    bool isSet() const { return major != 0 || minor != 0; }
    std::string toString() const { return std::to_string(major) + ":" + std::to_string(minor); }
};

// 0 or empty is "no limit of its own".
struct CgroupLimits {
    uint32_t cpu_millis = 0;    // cap, thousandths of a CPU; under 10 counts as 10, the least that the kernel takes
    uint32_t cpu_weight = 0;    // 1 to 10000 beside siblings when CPUs are short; 0: as it is, 100 in a new group
    std::string cpuset{};       // CPUs to run on, as in "0-3,8"
    uint64_t memory_bytes = 0;  // max; also the page cache and the kernel's memory for the group
    uint64_t memory_high_bytes = 0;  // reclaim above it; on v1 the soft limit, which holds only when the host is short
    uint64_t swap_bytes = 0;         // beside memory_bytes; 0: none. Without memory_bytes there is no limit
    uint32_t pids = 0;
    uint32_t io_weight = 0;  // 1 to 10000 of io_device; needs a scheduler that knows weights
    uint64_t io_read_bps = 0;
    uint64_t io_write_bps = 0;  // bytes per second of io_device; on v1 direct and synchronous ones
    uint32_t io_read_iops = 0;
    uint32_t io_write_iops = 0;
    BlockDevice io_device{};  // a whole disk; needed by io_*

    bool limitsIo() const {
        return io_weight != 0 || io_read_bps != 0 || io_write_bps != 0 || io_read_iops != 0 || io_write_iops != 0;
    }
};

// The whole disk that holds `path`: of a partition its disk, of a btrfs file system the (first) device it is mounted
// from. NOT_FOUND when there is none, as for tmpfs.
absl::StatusOr<BlockDevice> diskOf(const std::string& path);

// The CPUs in a list as in "0-3,8". INVALID_ARGUMENT when malformed or beyond 8191, the most that the kernel takes.
absl::StatusOr<std::set<uint32_t>> parseCpuList(const std::string& list);
// Those that are on line.
absl::StatusOr<std::set<uint32_t>> onlineCpus();

}  // namespace homeslice::sys
