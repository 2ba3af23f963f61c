#include <limits>

#include "base/status.h"
#include "noded/sys/cgroup_files.h"

namespace homeslice::sys {
namespace {

constexpr const char* kHard = "memory.limit_in_bytes";
constexpr const char* kHardAndSwap = "memory.memsw.limit_in_bytes";
constexpr const char* kSoft = "memory.soft_limit_in_bytes";

std::string mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

absl::Status tooSmall(uint64_t wanted, uint64_t used) {
    return failedPrecondition("memory limit " + mebibytes(wanted) + ": " + mebibytes(used) +
                              " are in use and cannot be reclaimed; the limit stays as it was");
}

uint64_t memoryAndSwap(const CgroupLimits& limits) {
    constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
    return limits.swap_bytes > kMost - limits.memory_bytes ? kMost : limits.memory_bytes + limits.swap_bytes;
}

absl::Status writeHard(const ControllerFiles& files, const CgroupLimits& limits) {
    absl::Status written = files.write(kHard, limits.memory_bytes == 0 ? "-1" : std::to_string(limits.memory_bytes));
    if (errnoOf(written) != EBUSY) return written;
    return tooSmall(limits.memory_bytes, files.readNumber("memory.usage_in_bytes").value_or(0));
}

absl::Status writeHardAndSwap(const ControllerFiles& files, const CgroupLimits& limits) {
    if (!files.has(kHardAndSwap)) {
        if (limits.swap_bytes == 0) return absl::OkStatus();
        return failedPrecondition("the kernel of this host does not count swap (swapaccount=1): it cannot be limited");
    }
    const uint64_t both = memoryAndSwap(limits);
    absl::Status written = files.write(kHardAndSwap, limits.memory_bytes == 0 ? "-1" : std::to_string(both));
    if (errnoOf(written) != EBUSY) return written;
    return tooSmall(both, files.readNumber("memory.memsw.usage_in_bytes").value_or(0));
}

// v1 counts memory and swap together, and refuses at any moment a sum under the limit of memory alone.
absl::Status limitV1(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    if (limits.memory_bytes != 0 || age == GroupAge::existing) {
        const uint64_t sum =
            age == GroupAge::existing ? files.readNumber(kHardAndSwap).value_or(UINT64_MAX) : UINT64_MAX;
        const bool sum_first = limits.memory_bytes == 0 || limits.memory_bytes > sum;
        if (sum_first) HS_RETURN_IF_ERROR(writeHardAndSwap(files, limits));
        HS_RETURN_IF_ERROR(writeHard(files, limits));
        if (!sum_first) HS_RETURN_IF_ERROR(writeHardAndSwap(files, limits));
    }
    return files.set(kSoft, limits.memory_high_bytes != 0, std::to_string(limits.memory_high_bytes), age, "-1");
}

// v2 would end processes to get below a new limit, where v1 refuses it. Neither shall surprise more than the other.
absl::Status makeRoom(const ControllerFiles& files, uint64_t limit) {
    HS_ASSIGN_OR_RETURN(const uint64_t before, files.readNumber("memory.current"));
    if (before <= limit) return absl::OkStatus();
    // EAGAIN when it is not enough, which is looked at below; absent before 5.19.
    if (files.has("memory.reclaim")) files.write("memory.reclaim", std::to_string(before - limit)).IgnoreError();
    HS_ASSIGN_OR_RETURN(const uint64_t after, files.readNumber("memory.current"));
    return after <= limit ? absl::OkStatus() : tooSmall(limit, after);
}

absl::Status limitV2(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    const bool limited = limits.memory_bytes != 0;
    if (limited && age == GroupAge::existing) HS_RETURN_IF_ERROR(makeRoom(files, limits.memory_bytes));
    HS_RETURN_IF_ERROR(files.set("memory.max", limited, std::to_string(limits.memory_bytes), age, "max"));
    HS_RETURN_IF_ERROR(
        files.set("memory.high", limits.memory_high_bytes != 0, std::to_string(limits.memory_high_bytes), age, "max"));
    // A kernel without swap has no file for it, and then there is nothing to limit.
    if (limits.swap_bytes == 0 && !files.has("memory.swap.max")) return absl::OkStatus();
    return files.set("memory.swap.max", limited, std::to_string(limits.swap_bytes), age, "max");
}

}  // namespace

absl::Status limitMemory(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    return files.isV2() ? limitV2(files, limits, age) : limitV1(files, limits, age);
}

}  // namespace homeslice::sys
