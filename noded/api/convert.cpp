#include "noded/api/convert.h"

#include <netinet/in.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/names.h"
#include "base/status.h"
#include "noded/api/utf8.h"

namespace homeslice::api {
namespace {

// Bounds of what is taken in. Far above what anybody needs, far below what would hurt.
constexpr uint32_t kMaxIndex = 65535;
constexpr int kMaxSlivers = 65535;
constexpr int kMaxPeers = 65535;
constexpr int kMaxHomeAgents = 16;
constexpr int kMaxExposed = 256;
constexpr int kMaxWords = 1024;
constexpr size_t kMaxWordsBytes = size_t{128} * 1024;  // MAX_ARG_STRLEN of execve(2)
constexpr size_t kMaxPathBytes = 4095;                 // PATH_MAX less the NUL
constexpr uint32_t kMaxCpuMillis = 1'000'000;
constexpr uint64_t kMaxMemoryBytes = uint64_t{1} << 60;
constexpr uint32_t kMaxPids = 4'194'304;    // PID_MAX_LIMIT
constexpr uint8_t kLongestHomePrefix = 64;  // a slice gets a /64

using Words = google::protobuf::RepeatedPtrField<std::string>;

bool hasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

absl::StatusOr<std::vector<std::string>> wordsOf(const std::string& what, const Words& words) {
    if (words.size() > kMaxWords) return invalidArgument(what + ": more than " + std::to_string(kMaxWords) + " words");
    size_t bytes = 0;
    for (const std::string& word : words) {
        if (hasNul(word)) return invalidArgument(what + ": a word with a NUL byte");
        bytes += word.size() + 1;
    }
    if (bytes > kMaxWordsBytes)
        return invalidArgument(what + ": more than " + std::to_string(kMaxWordsBytes) + " bytes");
    return std::vector<std::string>(words.begin(), words.end());
}

absl::StatusOr<std::vector<std::string>> environmentOf(const Words& words) {
    HS_ASSIGN_OR_RETURN(auto environment, wordsOf("env", words));
    for (const std::string& word : environment) {
        const size_t equals = word.find('=');
        if (equals == std::string::npos || equals == 0)
            return invalidArgument("env: \"" + word + "\" is not NAME=value");
    }
    return environment;
}

absl::Status checkDigest(const std::string& digest) {
    constexpr size_t kHexDigits = 64;
    const std::string scheme = "sha256:";
    const auto isHex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (digest.size() == scheme.size() + kHexDigits && digest.starts_with(scheme) &&
        std::all_of(digest.begin() + static_cast<std::ptrdiff_t>(scheme.size()), digest.end(), isHex)) {
        return absl::OkStatus();
    }
    return invalidArgument("image digest: not sha256: and 64 hex digits");
}

absl::StatusOr<Resources> resourcesOf(const v1::Resources& message) {
    if (message.cpu_millis() > kMaxCpuMillis)
        return invalidArgument("cpu_millis: above " + std::to_string(kMaxCpuMillis));
    if (message.memory_bytes() > kMaxMemoryBytes) {
        return invalidArgument("memory_bytes: above " + std::to_string(kMaxMemoryBytes));
    }
    if (message.pids() > kMaxPids) return invalidArgument("pids: above " + std::to_string(kMaxPids));
    return Resources{
        .cpu_millis = message.cpu_millis(), .memory_bytes = message.memory_bytes(), .pids = message.pids()};
}

absl::StatusOr<ExposedPort> exposedPortOf(const v1::ExposedPort& message) {
    ExposedPort exposed;
    HS_ASSIGN_OR_RETURN(exposed.port, portOf("exposed port", message.port()));
    switch (message.protocol()) {
        case v1::PROTOCOL_TCP:
            exposed.protocol = IPPROTO_TCP;
            return exposed;
        case v1::PROTOCOL_UDP:
            exposed.protocol = IPPROTO_UDP;
            return exposed;
        default:
            return invalidArgument("exposed port: protocol " + std::to_string(message.protocol()) +
                                   " is neither TCP nor UDP");
    }
}

absl::StatusOr<std::vector<ExposedPort>> exposedPortsOf(const v1::DesiredSliver& message) {
    if (message.exposed_size() > kMaxExposed) {
        return invalidArgument("exposed: more than " + std::to_string(kMaxExposed) + " ports");
    }
    std::vector<ExposedPort> exposed;
    for (const v1::ExposedPort& port : message.exposed()) {
        HS_ASSIGN_OR_RETURN(exposed.emplace_back(), exposedPortOf(port));
    }
    return exposed;
}

absl::StatusOr<DesiredRun> desiredRunOf(v1::DesiredRun run) {
    switch (run) {
        case v1::DESIRED_RUN_RUNNING:
            return DesiredRun::running;
        case v1::DESIRED_RUN_PREPARED:
            return DesiredRun::prepared;
        case v1::DESIRED_RUN_STOPPED:
            return DesiredRun::stopped;
        default:
            return invalidArgument("run: unknown value " + std::to_string(run));
    }
}

absl::StatusOr<Ipv6Address> homeAddressOf(const std::string& what, const std::string& raw, const Ipv6Prefix& prefix) {
    HS_ASSIGN_OR_RETURN(const Ipv6Address address, unicastOf(what, raw));
    if (!prefix.contains(address)) {
        return invalidArgument(what + ": " + address.toString() + " is outside " + prefix.toString());
    }
    return address;
}

absl::StatusOr<DiskSource> diskSourceOf(const v1::DiskSource& message) {
    DiskSource source;
    HS_ASSIGN_OR_RETURN(source.node, unicastOf("disk source", message.address()));
    HS_ASSIGN_OR_RETURN(source.api_port, portOf("disk source", message.api_port()));
    source.generation = message.generation();
    return source;
}

absl::Status fillSpec(const v1::DesiredSliver& message, const Ipv6Prefix& prefix, SliverSpec& spec) {
    spec.generation = message.generation();
    HS_ASSIGN_OR_RETURN(spec.run, desiredRunOf(message.run()));
    HS_RETURN_IF_ERROR(checkName("image name", message.image()));
    spec.image = message.image();
    HS_RETURN_IF_ERROR(checkDigest(message.image_digest()));
    spec.image_digest = message.image_digest();
    HS_ASSIGN_OR_RETURN(spec.argv, wordsOf("argv", message.argv()));
    HS_ASSIGN_OR_RETURN(spec.resources, resourcesOf(message.resources()));
    HS_ASSIGN_OR_RETURN(spec.exposed, exposedPortsOf(message));
    HS_ASSIGN_OR_RETURN(spec.home_address, homeAddressOf("home address", message.home_address(), prefix));
    HS_ASSIGN_OR_RETURN(spec.slice_address, homeAddressOf("slice address", message.slice_address(), prefix));
    spec.has_disk_source = message.has_disk_source();
    if (spec.has_disk_source) {
        HS_ASSIGN_OR_RETURN(spec.disk_source, diskSourceOf(message.disk_source()));
    }
    return absl::OkStatus();
}

absl::StatusOr<SliverSpec> specOf(const v1::DesiredSliver& message, const Ipv6Prefix& prefix) {
    SliverSpec spec;
    HS_ASSIGN_OR_RETURN(spec.id, sliverIdOf(message.sliver()));
    HS_RETURN_IF_ERROR_CTX(fillSpec(message, prefix, spec), "sliver " + spec.id.toString());
    return spec;
}

absl::StatusOr<std::vector<mobility::HomeAgentAddress>> homeAgentsOf(const v1::DesiredState& message) {
    if (message.home_agents_size() > kMaxHomeAgents) {
        return invalidArgument("home_agents: more than " + std::to_string(kMaxHomeAgents));
    }
    std::vector<mobility::HomeAgentAddress> home_agents;
    for (const v1::HomeAgent& home_agent : message.home_agents()) {
        mobility::HomeAgentAddress& entry = home_agents.emplace_back();
        HS_ASSIGN_OR_RETURN(entry.address, unicastOf("home agent", home_agent.address()));
        HS_ASSIGN_OR_RETURN(entry.api_port, portOf("home agent", home_agent.api_port()));
    }
    return home_agents;
}

v1::SliverState toMessage(sliver::State state) {
    switch (state) {
        case sliver::State::pending:
            return v1::SLIVER_STATE_PENDING;
        case sliver::State::preparing:
            return v1::SLIVER_STATE_PREPARING;
        case sliver::State::starting:
            return v1::SLIVER_STATE_STARTING;
        case sliver::State::running:
            return v1::SLIVER_STATE_RUNNING;
        case sliver::State::stopping:
            return v1::SLIVER_STATE_STOPPING;
        case sliver::State::stopped:
            return v1::SLIVER_STATE_STOPPED;
        case sliver::State::exited:
            return v1::SLIVER_STATE_EXITED;
        case sliver::State::failed:
            return v1::SLIVER_STATE_FAILED;
        case sliver::State::deleting:
            return v1::SLIVER_STATE_DELETING;
    }
    return v1::SLIVER_STATE_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<SliverId> sliverIdOf(const v1::SliverId& message) {
    HS_RETURN_IF_ERROR(checkName("slice name", message.slice()));
    if (message.index() == 0 || message.index() > kMaxIndex) {
        return invalidArgument("sliver index " + std::to_string(message.index()) + ": not in 1 to 65535");
    }
    return SliverId{.slice = message.slice(), .index = message.index()};
}

v1::SliverId toMessage(const SliverId& id) {
    v1::SliverId message;
    message.set_slice(id.slice);
    message.set_index(id.index);
    return message;
}

absl::StatusOr<Ipv6Address> unicastOf(const std::string& what, const std::string& raw) {
    HS_ASSIGN_OR_RETURN_CTX(const Ipv6Address address, Ipv6Address::fromBytes(raw), what);
    if (address.isUnspecified() || address.isMulticast()) {
        return invalidArgument(what + ": " + address.toString() + " is no unicast address");
    }
    return address;
}

absl::StatusOr<uint16_t> portOf(const std::string& what, uint32_t port) {
    if (port == 0 || port > std::numeric_limits<uint16_t>::max()) {
        return invalidArgument(what + ": port " + std::to_string(port) + " is not in 1 to 65535");
    }
    return static_cast<uint16_t>(port);
}

absl::StatusOr<NetworkPicture> networkPictureOf(const v1::DesiredState& message) {
    NetworkPicture network;
    HS_ASSIGN_OR_RETURN_CTX(network.home_prefix, Ipv6Prefix::parse(message.home_prefix()), "home prefix");
    if (network.home_prefix.length() > kLongestHomePrefix) {
        return invalidArgument("home prefix: " + network.home_prefix.toString() + " is longer than /64");
    }
    HS_ASSIGN_OR_RETURN(network.home_agents, homeAgentsOf(message));
    if (message.node_addresses_size() > kMaxPeers) {
        return invalidArgument("node_addresses: more than " + std::to_string(kMaxPeers));
    }
    for (const std::string& raw : message.node_addresses()) {
        HS_ASSIGN_OR_RETURN(network.peers.emplace_back(), unicastOf("node address", raw));
    }
    return network;
}

absl::StatusOr<DesiredPicture> desiredPictureOf(const v1::DesiredState& message) {
    DesiredPicture picture;
    HS_ASSIGN_OR_RETURN(picture.network, networkPictureOf(message));
    if (message.slivers_size() > kMaxSlivers) {
        return invalidArgument("slivers: more than " + std::to_string(kMaxSlivers));
    }
    std::set<SliverId> seen;
    for (const v1::DesiredSliver& sliver : message.slivers()) {
        HS_ASSIGN_OR_RETURN(SliverSpec spec, specOf(sliver, picture.network.home_prefix));
        if (!seen.insert(spec.id).second) return invalidArgument("sliver " + spec.id.toString() + " is listed twice");
        picture.desired.slivers.push_back(std::move(spec));
    }
    picture.desired.revision = message.revision();
    return picture;
}

v1::SliverStatus toMessage(const sliver::SliverReport& report) {
    v1::SliverStatus message;
    *message.mutable_sliver() = toMessage(report.id);
    message.set_generation(report.generation);
    message.set_state(toMessage(report.state));
    message.set_reason(asUtf8(report.reason));
    message.set_exit_status(static_cast<uint32_t>(report.exit_status));
    message.set_running_since_us(report.running_since_us);
    message.set_image_ready(report.image_ready);
    message.set_memory_bytes(report.memory_bytes);
    return message;
}

absl::StatusOr<ExecStart> execStartOf(const v1::ExecStart& message) {
    ExecStart start;
    HS_ASSIGN_OR_RETURN(start.sliver, sliverIdOf(message.sliver()));
    HS_ASSIGN_OR_RETURN(start.request.argv, wordsOf("argv", message.argv()));
    if (start.request.argv.empty() || start.request.argv.front().empty()) {
        return invalidArgument("argv: no command");
    }
    HS_ASSIGN_OR_RETURN(start.request.env, environmentOf(message.env()));
    const std::string& directory = message.working_directory();
    if (!directory.empty() && !directory.starts_with('/')) {
        return invalidArgument("working directory: \"" + directory + "\" is not absolute");
    }
    if (hasNul(directory) || directory.size() > kMaxPathBytes) {
        return invalidArgument("working directory: has a NUL byte or is too long");
    }
    start.request.working_directory = directory;
    if (hasNul(message.user()) || message.user().size() > kMaxPathBytes) {
        return invalidArgument("user: has a NUL byte or is too long");
    }
    start.request.user = message.user();
    start.request.detached = message.detached();
    if (message.tty()) {
        HS_ASSIGN_OR_RETURN(start.request.terminal, terminalSizeOf(message.size()));
    }
    return start;
}

absl::StatusOr<init::TerminalSize> terminalSizeOf(const v1::TerminalSize& message) {
    constexpr uint32_t kMost = std::numeric_limits<uint16_t>::max();
    if (message.columns() > kMost || message.rows() > kMost) {
        return invalidArgument("terminal size: more than " + std::to_string(kMost) + " columns or rows");
    }
    init::TerminalSize size;
    if (message.columns() > 0) size.columns = static_cast<uint16_t>(message.columns());
    if (message.rows() > 0) size.rows = static_cast<uint16_t>(message.rows());
    return size;
}

}  // namespace homeslice::api
