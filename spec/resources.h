// What a sliver may use and what it is sure to get. 0 or empty is "none of its own". What each becomes in the kernel:
// docs/design/resources.md.
#pragma once

#include <cstdint>
#include <string>

namespace homeslice {

// Where the sliver's writable layer is.
enum class DiskMedium { store, memory };

struct Resources {
    uint32_t cpu_millis = 0;              // cap, thousandths of a CPU
    uint32_t cpu_reservation_millis = 0;  // guarantee, thousandths of a CPU
    uint32_t cpu_weight = 0;              // 1 to 10000, its share of what no reservation takes; 0: 100
    std::string cpuset{};                 // "0-3,8": the processors that it may run on
    uint64_t memory_bytes = 0;            // cap
    uint64_t memory_high_bytes = 0;       // above it, the kernel takes memory back
    uint64_t swap_bytes = 0;              // beside memory_bytes; 0: no swap for one with a memory cap
    uint32_t pids = 0;                    // processes and threads
    uint32_t io_weight = 0;               // 1 to 10000; 0: 100
    uint64_t io_read_bps = 0;             // bytes a second, on the device that holds the node's state
    uint64_t io_write_bps = 0;
    uint32_t io_read_iops = 0;  // operations a second
    uint32_t io_write_iops = 0;
    uint64_t network_egress_bps = 0;  // bits a second out of the sliver
    uint64_t network_ingress_bps = 0;
    uint64_t disk_bytes = 0;  // of its writable layer
    DiskMedium disk_medium = DiskMedium::store;

    bool operator==(const Resources&) const = default;
};

}  // namespace homeslice
