#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/cgroup_files.h"

namespace homeslice::sys {
namespace {

constexpr uint32_t kDefaultWeight = 100;
constexpr uint32_t kMostWeight = 10'000;
constexpr uint32_t kMostBfqWeight = 1'000;

bool isThrottled(const CgroupLimits& limits) {
    return limits.io_read_bps != 0 || limits.io_write_bps != 0 || limits.io_read_iops != 0 || limits.io_write_iops != 0;
}

absl::Status throttleV1(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    const std::pair<const char*, uint64_t> wanted[] = {{"blkio.throttle.read_bps_device", limits.io_read_bps},
                                                       {"blkio.throttle.write_bps_device", limits.io_write_bps},
                                                       {"blkio.throttle.read_iops_device", limits.io_read_iops},
                                                       {"blkio.throttle.write_iops_device", limits.io_write_iops}};
    const std::string device = limits.io_device.toString() + " ";
    for (const auto& [file, value] : wanted) {
        HS_RETURN_IF_ERROR(files.set(file, value != 0, device + std::to_string(value), age, device + "0"));
    }
    return absl::OkStatus();
}

absl::Status throttleV2(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    const auto text = [](const char* key, uint64_t value) {
        return std::string(" ") + key + "=" + (value == 0 ? "max" : std::to_string(value));
    };
    const std::string wanted = limits.io_device.toString() + text("rbps", limits.io_read_bps) +
                               text("wbps", limits.io_write_bps) + text("riops", limits.io_read_iops) +
                               text("wiops", limits.io_write_iops);
    return files.set("io.max", isThrottled(limits), wanted, age, wanted);
}

// "mq-deadline kyber [bfq] none"
bool isScheduledByBfq(const BlockDevice& device) {
    const std::string file = "/sys/dev/block/" + device.toString() + "/queue/scheduler";
    return readFile(file).value_or("").find("[bfq]") != std::string::npos;
}

// The root group's io.cost.qos has a line "254:0 enable=1 ..." for each device whose costs are modelled.
bool isScheduledByCost(const ControllerFiles& files, const BlockDevice& device) {
    std::filesystem::path directory = files.directory();
    while (directory.has_relative_path() && !std::filesystem::exists(directory / "io.cost.qos"))
        directory = directory.parent_path();
    std::istringstream lines(readFile(directory / "io.cost.qos").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(device.toString() + " ")) return line.find("enable=1") != std::string::npos;
    }
    return false;
}

absl::Status weigh(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    if (limits.io_weight > kMostWeight)
        return invalidArgument("io weight " + std::to_string(limits.io_weight) + ": at most 10000");
    const std::string bfq = files.isV2() ? "io.bfq.weight" : "blkio.bfq.weight";
    const std::string none = std::to_string(kDefaultWeight);
    const bool by_bfq = isScheduledByBfq(limits.io_device) && files.has(bfq);
    const bool by_cost = files.isV2() && isScheduledByCost(files, limits.io_device);
    const bool is_set = limits.io_weight != 0;
    if (is_set && !by_bfq && !by_cost) {
        return failedPrecondition("io weight: device " + limits.io_device.toString() +
                                  " has no scheduler that knows weights (bfq; on cgroup v2 also io.cost.qos)");
    }
    const std::string bfq_weight = std::to_string(std::min(limits.io_weight, kMostBfqWeight));
    if (by_bfq) HS_RETURN_IF_ERROR(files.set(bfq, is_set, bfq_weight, age, none));
    if (by_cost) HS_RETURN_IF_ERROR(files.set("io.weight", is_set, std::to_string(limits.io_weight), age, none));
    return absl::OkStatus();
}

}  // namespace

absl::Status limitIo(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    if (age == GroupAge::fresh && !limits.limitsIo()) return absl::OkStatus();
    if (!limits.io_device.isSet()) {
        if (!limits.limitsIo()) return absl::OkStatus();
        return failedPrecondition("io limits: the slivers' store is on no block device");
    }
    HS_RETURN_IF_ERROR(weigh(files, limits, age));
    return files.isV2() ? throttleV2(files, limits, age) : throttleV1(files, limits, age);
}

}  // namespace homeslice::sys
