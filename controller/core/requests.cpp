#include "controller/core/requests.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <set>

#include "base/names.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

// Below these nothing starts: the kernel's smallest CPU quota (1 ms in 100 ms), a page table's worth of memory, and
// sliver-init with its command.
constexpr uint32_t kMinCpuMillis = 10;
constexpr uint64_t kMinMemoryBytes = 1 << 20;
constexpr uint32_t kMinPids = 2;
constexpr uint64_t kMaxMemoryBytes = uint64_t{1} << 50;
constexpr size_t kMaxPorts = 64;
constexpr size_t kMaxArguments = 1024;
constexpr size_t kMaxArgumentBytes = size_t{64} * 1024;
constexpr size_t kMaxText = 256;

absl::Status checkResources(const Resources& resources) {
    if (resources.cpu_millis != 0 && resources.cpu_millis < kMinCpuMillis) {
        return invalidArgument(
            fmt::format("{} thousandths of a CPU are too few: at least {}", resources.cpu_millis, kMinCpuMillis));
    }
    if (resources.memory_bytes != 0 && resources.memory_bytes < kMinMemoryBytes) {
        return invalidArgument(
            fmt::format("{} bytes of memory are too few: at least {}", resources.memory_bytes, kMinMemoryBytes));
    }
    if (resources.memory_bytes > kMaxMemoryBytes) {
        return invalidArgument(fmt::format("{} bytes of memory are more than any machine has", resources.memory_bytes));
    }
    if (resources.pids != 0 && resources.pids < kMinPids) {
        return invalidArgument(fmt::format("{} processes are too few: at least {}", resources.pids, kMinPids));
    }
    return absl::OkStatus();
}

absl::Status checkPorts(const std::vector<ExposedPort>& ports) {
    if (ports.size() > kMaxPorts) return invalidArgument(fmt::format("more than {} exposed ports", kMaxPorts));
    std::set<ExposedPort> seen;
    for (const ExposedPort& port : ports) {
        if (port.protocol != IPPROTO_TCP && port.protocol != IPPROTO_UDP) {
            return invalidArgument("an exposed port is of protocol tcp or udp");
        }
        if (port.port == 0) return invalidArgument("an exposed port is a number from 1 to 65535");
        if (!seen.insert(port).second) return invalidArgument(fmt::format("port {} is exposed twice", port.port));
    }
    return absl::OkStatus();
}

absl::Status checkArguments(const std::vector<std::string>& argv) {
    if (argv.size() > kMaxArguments) return invalidArgument(fmt::format("more than {} arguments", kMaxArguments));
    size_t bytes = 0;
    for (const std::string& argument : argv) {
        if (argument.find('\0') != std::string::npos) return invalidArgument("an argument holds a zero byte");
        bytes += argument.size() + 1;
    }
    if (bytes > kMaxArgumentBytes) {
        return invalidArgument(
            fmt::format("the command has {} bytes, at most {} are allowed", bytes, kMaxArgumentBytes));
    }
    if (!argv.empty() && argv.front().empty()) return invalidArgument("the command's name is empty");
    return absl::OkStatus();
}

}  // namespace

absl::Status checkRequestId(const std::string& request_id) {
    if (request_id.size() > kMaxText)
        return invalidArgument(fmt::format("a request id has at most {} bytes", kMaxText));
    return absl::OkStatus();
}

absl::Status checkRequest(const CreateSliceRequest& request) {
    HS_RETURN_IF_ERROR(checkName("slice name", request.name));
    HS_RETURN_IF_ERROR(checkName("image name", request.image));
    for (const std::string& node : request.where.nodes) HS_RETURN_IF_ERROR(checkName("node name", node));
    HS_RETURN_IF_ERROR(checkResources(request.resources));
    HS_RETURN_IF_ERROR(checkPorts(request.exposed));
    HS_RETURN_IF_ERROR(checkArguments(request.argv));
    return checkRequestId(request.request_id);
}

absl::Status checkHello(const Node& node) {
    HS_RETURN_IF_ERROR(checkName("node name", node.name));
    if (node.care_of_address.isUnspecified() || node.care_of_address.isMulticast()) {
        return invalidArgument("node " + node.name + ": care-of address " + node.care_of_address.toString() +
                               " cannot be a machine's");
    }
    if (node.api_port == 0) return invalidArgument("node " + node.name + ": the API port is missing");
    for (const std::string* text : {&node.version, &node.kernel, &node.boot_id}) {
        if (text->size() > kMaxText) return invalidArgument("node " + node.name + ": a field of its hello is too long");
    }
    return absl::OkStatus();
}

}  // namespace homeslice::controller
