#include "noded/api/convert.h"

#include <set>

#include "base/names.h"
#include "base/status.h"
#include "base/utf8.h"

namespace homeslice::api {
namespace {

// Bounds of what is taken in. Far above what anybody needs, far below what would hurt.
constexpr int kMaxSlivers = 65535;
constexpr int kMaxPeers = 65535;
constexpr int kMaxHomeAgents = 16;
constexpr int kMaxWords = 1024;
constexpr size_t kMaxWordsBytes = size_t{128} * 1024;  // MAX_ARG_STRLEN of execve(2)
constexpr size_t kMaxPathBytes = 4095;                 // PATH_MAX less the NUL
constexpr uint8_t kLongestHomePrefix = 64;             // a slice gets a /64

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

absl::Status checkHome(const std::string& what, const Ipv6Address& address, const Ipv6Prefix& prefix) {
    if (prefix.contains(address)) return absl::OkStatus();
    return invalidArgument(what + ": " + address.toString() + " is outside " + prefix.toString());
}

absl::StatusOr<SliverSpec> specOf(const v1::DesiredSliver& message, const Ipv6Prefix& prefix) {
    HS_ASSIGN_OR_RETURN(SliverSpec spec, wire::specOf(message));
    HS_RETURN_IF_ERROR_CTX(checkHome("home address", spec.home_address, prefix), "sliver " + spec.id.toString());
    HS_RETURN_IF_ERROR_CTX(checkHome("slice address", spec.slice_address, prefix), "sliver " + spec.id.toString());
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

}  // namespace

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
    if (message.nodes_size() > kMaxPeers) return invalidArgument("nodes: more than " + std::to_string(kMaxPeers));
    for (const v1::EnrolledNode& node : message.nodes()) {
        HS_RETURN_IF_ERROR(checkName("node name", node.name()));
        if (!node.address().empty()) {
            HS_ASSIGN_OR_RETURN(network.peers.emplace_back(), unicastOf("node address", node.address()));
        }
        network.enrolments[node.name()] = node.enrolment();
        if (node.home_agent()) network.home_agent_names.insert(node.name());
    }
    network.grant_key = message.grant_key();
    if (message.node_grant_keys_size() > kMaxPeers) {
        return invalidArgument("node_grant_keys: more than " + std::to_string(kMaxPeers));
    }
    for (const v1::NodeGrantKey& own : message.node_grant_keys()) {
        HS_RETURN_IF_ERROR(checkName("node name", own.node()));
        network.node_grant_keys[own.node()] = own.key();
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
        if (!sliver.disk_reader().empty()) {
            HS_RETURN_IF_ERROR(checkName("disk reader", sliver.disk_reader()));
            picture.disk_readers[spec.id] = sliver.disk_reader();
        }
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
    message.set_health(toMessage(report.health));
    message.set_restarts(report.restarts);
    message.set_stale(report.stale);
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
