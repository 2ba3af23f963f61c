#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/cgroup.h"
#include "noded/sys/cgroup_files.h"

namespace homeslice::sys {
namespace {

constexpr uint64_t kPeriodUs = 100'000;
constexpr uint64_t kLeastQuotaUs = 1'000;
constexpr uint64_t kLongestPeriodUs = 1'000'000;  // the kernel's
constexpr uint64_t kSqueezedQuotaUs = 2'000;
constexpr uint32_t kDefaultWeight = 100;
constexpr uint32_t kMostWeight = 10'000;
constexpr uint32_t kDefaultShares = 1'024;  // of v1, for the default weight
constexpr uint32_t kLeastShares = 2;
constexpr uint32_t kMostCpu = 8'191;

uint64_t quotaOf(uint32_t cpu_millis) { return std::max(kLeastQuotaUs, kPeriodUs * cpu_millis / 1000); }

absl::Status limitTime(const ControllerFiles& files, uint32_t cpu_millis, GroupAge age) {
    const std::string period = std::to_string(kPeriodUs);
    const std::string quota = std::to_string(quotaOf(cpu_millis));
    if (files.isV2()) return files.set("cpu.max", cpu_millis != 0, quota + " " + period, age, "max " + period);
    // A new group's period is this one.
    if (cpu_millis != 0 && age == GroupAge::existing) HS_RETURN_IF_ERROR(files.write("cpu.cfs_period_us", period));
    return files.set("cpu.cfs_quota_us", cpu_millis != 0, quota, age, "-1");
}

absl::Status weigh(const ControllerFiles& files, uint32_t weight) {
    if (weight == 0) return absl::OkStatus();
    if (weight > kMostWeight) return invalidArgument("cpu weight " + std::to_string(weight) + ": at most 10000");
    if (files.isV2()) return files.write("cpu.weight", std::to_string(weight));
    return files.write("cpu.shares", std::to_string(std::max(kLeastShares, weight * kDefaultShares / kDefaultWeight)));
}

bool parseNumber(const std::string& text, uint32_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && number <= kMostCpu;
}

absl::Status requireOnline(const std::string& list) {
    HS_ASSIGN_OR_RETURN(const auto wanted, parseCpuList(list));
    HS_ASSIGN_OR_RETURN(const auto online, onlineCpus());
    if (std::includes(online.begin(), online.end(), wanted.begin(), wanted.end())) return absl::OkStatus();
    return failedPrecondition("cpuset " + list + ": this node has " + std::to_string(online.size()) +
                              " CPUs, up to number " + std::to_string(*online.rbegin()));
}

std::string withoutNewline(std::string text) {
    text.erase(text.find_last_not_of('\n') + 1);
    return text;
}

// An empty v2 cpuset stands for the parent's. On v1 the parent's has to be written, and so it has on v2 where the
// kernel refuses (ENOSPC, as 6.1 does) to empty that of a group with processes.
absl::Status leaveCpuset(const ControllerFiles& files) {
    if (files.isV2()) {
        absl::Status emptied = files.write("cpuset.cpus", "\n");
        if (errnoOf(emptied) != ENOSPC) return emptied;
    }
    const ControllerFiles parent(files.isV2() ? 2 : 1, std::filesystem::path(files.directory()).parent_path());
    HS_ASSIGN_OR_RETURN(const std::string cpus, parent.read(files.isV2() ? "cpuset.cpus.effective" : "cpuset.cpus"));
    return files.write("cpuset.cpus", withoutNewline(cpus));
}

}  // namespace

absl::StatusOr<std::set<uint32_t>> parseCpuList(const std::string& list) {
    std::set<uint32_t> cpus;
    std::istringstream ranges(list);
    for (std::string range; std::getline(ranges, range, ',');) {
        const size_t dash = range.find('-');
        uint32_t first = 0;
        if (!parseNumber(range.substr(0, dash), first)) return invalidArgument("'" + list + "' is no list of CPUs");
        uint32_t last = first;
        if (dash != std::string::npos && (!parseNumber(range.substr(dash + 1), last) || last < first))
            return invalidArgument("'" + list + "' is no list of CPUs");
        for (uint32_t cpu = first; cpu <= last; ++cpu) cpus.insert(cpu);
    }
    if (cpus.empty() || list.back() == ',') return invalidArgument("'" + list + "' is no list of CPUs");
    return cpus;
}

absl::StatusOr<std::set<uint32_t>> onlineCpus() {
    HS_ASSIGN_OR_RETURN(const std::string text, readFile("/sys/devices/system/cpu/online"));
    return parseCpuList(withoutNewline(text));
}

absl::Status limitCpu(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    HS_RETURN_IF_ERROR(limitTime(files, limits.cpu_millis, age));
    return weigh(files, limits.cpu_weight);
}

absl::Status Cgroups::setCpuCap(const std::string& group, uint32_t cpu_millis) {
    const ControllerFiles files = filesOf("cpu", group);
    if (!files.isV2()) HS_RETURN_IF_ERROR(files.write("cpu.cfs_period_us", std::to_string(kPeriodUs)));
    return limitTime(files, cpu_millis, GroupAge::existing);
}

absl::Status Cgroups::squeezeCpu(const std::string& group) {
    const ControllerFiles files = filesOf("cpu", group);
    const std::string quota = std::to_string(kSqueezedQuotaUs);
    const std::string period = std::to_string(kLongestPeriodUs);
    if (files.isV2()) return files.write("cpu.max", quota + " " + period);
    HS_RETURN_IF_ERROR(files.write("cpu.cfs_quota_us", quota));
    return files.write("cpu.cfs_period_us", period);
}

absl::Status limitCpuset(const ControllerFiles& files, const CgroupLimits& limits, GroupAge age) {
    if (!limits.cpuset.empty()) {
        HS_RETURN_IF_ERROR(requireOnline(limits.cpuset));
        return files.write("cpuset.cpus", limits.cpuset);
    }
    if (age == GroupAge::fresh) return absl::OkStatus();
    return files.has("cpuset.cpus") ? leaveCpuset(files) : absl::OkStatus();
}

}  // namespace homeslice::sys
