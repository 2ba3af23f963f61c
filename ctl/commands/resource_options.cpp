#include "ctl/commands/resource_options.h"

#include <algorithm>

#include "base/status.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/parse_template.h"
#include "ctl/commands/quantity.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostPids = 4'194'304;  // PID_MAX_LIMIT of the kernel
constexpr uint32_t kMostWeight = 10'000;   // cgroup-v2.rst, cpu.weight
constexpr uint32_t kMostIops = 1'000'000'000;

absl::StatusOr<uint32_t> parsePids(const std::string& option, const std::string& text) {
    return parseCount(option, text, kMostPids);
}
absl::StatusOr<uint32_t> parseWeight(const std::string& option, const std::string& text) {
    return parseCount(option, text, kMostWeight);
}
absl::StatusOr<uint32_t> parseIops(const std::string& option, const std::string& text) {
    return parseCount(option, text, kMostIops);
}
template <auto Parse, auto Set>
absl::Status apply(const std::string& option, const std::string& text, v1::Resources& resources) {
    using Value = typename std::invoke_result_t<decltype(Parse), std::string, std::string>::value_type;
    if (text == "none") {
        (resources.*Set)(Value());
        return absl::OkStatus();
    }
    HS_ASSIGN_OR_RETURN(const Value value, Parse(option, text));
    (resources.*Set)(value);
    return absl::OkStatus();
}

// The list itself is checked where all templates are.
absl::Status applyCpuset(const std::string& option, const std::string& text, v1::Resources& resources) {
    if (text.empty()) return refuse(option, text, "a list of processors, such as 0-3,8");
    resources.set_cpuset(text == "none" ? "" : text);
    return absl::OkStatus();
}

struct Flag {
    const char* name;
    const char* type;
    const char* help;
    absl::Status (*apply)(const std::string& option, const std::string& text, v1::Resources& resources);
};

using R = v1::Resources;

constexpr Flag kFlags[] = {
    {"--cpus", "C", "Most CPU time it gets, in processors, such as 1.5", apply<parseCpus, &R::set_cpu_millis>},
    {"--cpu-reserve", "C", "CPU time that it is sure to get, in processors",
     apply<parseCpus, &R::set_cpu_reservation_millis>},
    {"--cpu-weight", "W", "Share of what nobody has reserved, 1 to 10000; default: 100",
     apply<parseWeight, &R::set_cpu_weight>},
    {"--cpuset", "LIST", "Processors that it may run on, such as 0-3,8", applyCpuset},
    {"--memory", "SIZE", "Most memory it gets, such as 512M or 2G", apply<parseSize, &R::set_memory_bytes>},
    {"--memory-high", "SIZE", "Memory above which the kernel takes some back",
     apply<parseSize, &R::set_memory_high_bytes>},
    {"--swap", "SIZE", "Swap beside --memory; default: none", apply<parseSize, &R::set_swap_bytes>},
    {"--pids", "P", "Most processes and threads", apply<parsePids, &R::set_pids>},
    {"--io-weight", "W", "Share of the disk, 1 to 10000; default: 100", apply<parseWeight, &R::set_io_weight>},
    {"--io-read", "SIZE", "Bytes a second read from the disk, such as 10M", apply<parseSize, &R::set_io_read_bps>},
    {"--io-write", "SIZE", "Bytes a second written to the disk", apply<parseSize, &R::set_io_write_bps>},
    {"--io-read-iops", "N", "Reads a second from the disk", apply<parseIops, &R::set_io_read_iops>},
    {"--io-write-iops", "N", "Writes a second to the disk", apply<parseIops, &R::set_io_write_iops>},
    {"--net-out", "RATE", "Bits a second out of it, such as 100M", apply<parseBitRate, &R::set_network_egress_bps>},
    {"--net-in", "RATE", "Bits a second into it", apply<parseBitRate, &R::set_network_ingress_bps>},
    {"--disk", "SIZE", "Size of its writable layer, such as 1G", apply<parseSize, &R::set_disk_bytes>},
};

}  // namespace

void ResourceOptions::declare(CLI::App& app) {
    texts_.resize(std::size(kFlags));
    for (size_t i = 0; i < std::size(kFlags); ++i) {
        options_.push_back(app.add_option(kFlags[i].name, texts_[i], kFlags[i].help)
                               ->type_name(kFlags[i].type)
                               ->group("Limits of each sliver (none: no limit)"));
    }
}

absl::StatusOr<v1::Resources> ResourceOptions::value() const {
    v1::Resources resources;
    for (size_t i = 0; i < options_.size(); ++i) {
        if (options_[i]->count() == 0) continue;
        HS_RETURN_IF_ERROR(kFlags[i].apply(kFlags[i].name, texts_[i], resources));
    }
    return resources;
}

bool ResourceOptions::anyGiven() const {
    return std::any_of(options_.begin(), options_.end(), [](const CLI::Option* option) { return option->count() > 0; });
}

}  // namespace homeslice::ctl
