#include "noded/options.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "base/ipv4.h"
#include "base/names.h"
#include "base/status.h"

namespace homeslice {
namespace {

constexpr uint64_t kRangeSize = 65536;
// The last id, 2^32 - 1, means "no change" to chown(2) and setresuid(2).
constexpr uint64_t kIdsEnd = (uint64_t{1} << 32) - 1;

// Addresses as typed.
struct AddressTexts {
    std::string care_of;
    std::string home_agent_address;
    std::string dns;
    std::vector<std::string> name_servers;
    std::string keep_flows = "7d";
};

void addOptions(CLI::App& app, NodedOptions& options, AddressTexts& texts) {
    const std::map<std::string, LogLevel> levels = {{"debug", LogLevel::debug},
                                                    {"info", LogLevel::info},
                                                    {"warning", LogLevel::warning},
                                                    {"error", LogLevel::error}};
    app.add_option("--name", options.name, "name of this node, a DNS label")->required();
    app.add_option("--state-dir", options.state_directory, "what survives a reboot: records, images, disks")
        ->required();
    app.add_option("--run-dir", options.run_directory, "what does not: sockets, mounts")->required();
    app.add_option("--uplink", options.uplink, "underlay link")->required();
    app.add_option(
        "--care-of", texts.care_of,
        "underlay address, IPv6 or IPv4, of one version on all nodes; default: the uplink's first global one");
    app.add_flag(
        "--behind-nat", options.behind_nat,
        "a NAT hides the care-of address, an IPv4 one: connections go out from here alone, slivers' packets by UDP "
        "to and from the home agents' port 4191");
    app.add_option("--care-of-priority", options.care_of_priority,
                   "1 to 127: slivers that share an address get new flows only on the nodes with the lowest (RFC 6089)")
        ->capture_default_str()
        ->check(CLI::Range(1, 127));
    app.add_option("--api-port", options.api_port, "TCP port of the API on the underlay address")
        ->capture_default_str()
        ->check(CLI::Range(1, 65535));
    app.add_option("--controller", options.controller, "HOST:PORT of sliced; of several, with commas between")
        ->required();
    app.add_flag("--home-agent", options.home_agent, "own the home prefix; such a node takes no slivers");
    app.add_option(
        "--home-agent-address", texts.home_agent_address,
        "address that the home agents of the prefix share and the one in charge holds; routers send the home "
        "prefix to it");
    app.add_option("--home-agent-priority", options.home_agent_priority,
                   "the standby with the greatest takes over first, 1 to 254")
        ->capture_default_str()
        ->check(CLI::Range(1, 254));
    app.add_option("--advertisement-interval", options.advertisement_interval_ms,
                   "milliseconds between advertisements of the one in charge, 10 to 10000, the same on all; a standby "
                   "takes over after four at most")
        ->capture_default_str()
        ->check(CLI::Range(10, 10000));
    app.add_flag("--active-active", options.active_active,
                 "all home agents of the prefix are in charge; routers spread packets over them");
    app.add_flag("--on-link", options.on_link,
                 "hosts on the uplink's link take the home prefix for on-link: answer neighbour discovery for bound "
                 "addresses, refuse those that another host has");
    app.add_flag(
        "--reverse-tunnel", options.reverse_tunnel,
        "what slivers send to hosts outside goes through the home agent, for networks that drop home addresses "
        "as source; always so with an IPv4 --care-of");
    app.add_flag("--outbound", options.outbound,
                 "what slivers begin with hosts outside, IPv6 or IPv4, goes out under this node's own addresses (NAT); "
                 "without it, under their home addresses and in IPv6 only");
    app.add_flag("--correspondent", options.correspondent,
                 "send to home addresses by direct paths, and take no slivers: for hosts that talk to slivers a lot");
    app.add_option(
        "--dns", texts.dns,
        "ADDRESS:PORT to answer DNS questions about slices and slivers on, UDP and TCP; on a home agent, say");
    app.add_option(
           "--name-server", texts.name_servers,
           "address that slivers' questions about other names go to, may be repeated; \"none\": they are refused; "
           "default: those of /etc/resolv.conf")
        ->allow_extra_args(false);
    app.add_option("--keep-flows", texts.keep_flows,
                   "how long to keep the record of slivers' flows that `slicectl audit flow` asks for, like 12h or 7d")
        ->capture_default_str();
    app.add_option("--cgroup-parent", options.cgroup_parent, "group of all slivers; default: homeslice/NAME");
    app.add_option("--first-id", options.first_id, "first host user id for slivers")->capture_default_str();
    app.add_option("--id-ranges", options.id_ranges, "how many ranges of 65536 ids from there, one for each sliver")
        ->capture_default_str();
    app.add_option("--volume", options.volumes,
                   "directory that slivers may be given, with all below it; may be repeated")
        ->allow_extra_args(false);
    app.add_option("--pool", options.pool, "how many environments to prepare for slivers to come; 0: none")
        ->capture_default_str()
        ->check(CLI::Range(0, 256));
    app.add_option("--log-level", options.log_level, "debug, info, warning or error")
        ->transform(CLI::CheckedTransformer(levels))
        ->default_str("info");
    app.set_config("--config", "", "file with the same options, NAME = VALUE a line");
}

absl::Status checkDirectory(const std::string& option, const std::string& path) {
    if (!path.starts_with('/')) return invalidArgument(option + ": \"" + path + "\" is not an absolute path");
    return absl::OkStatus();
}

absl::Status checkUplink(const std::string& uplink) {
    const bool odd = std::any_of(uplink.begin(), uplink.end(), [](char c) { return c == '/' || c <= ' '; });
    if (uplink.empty() || uplink.size() >= IFNAMSIZ || odd) {
        return invalidArgument("--uplink: \"" + uplink + "\" is no name of a link");
    }
    return absl::OkStatus();
}

absl::Status checkOneController(const std::string& controller) {
    const size_t colon = controller.rfind(':');
    const std::string port = colon == std::string::npos ? "" : controller.substr(colon + 1);
    const bool numeric = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
    const int number = numeric ? std::stoi(port) : 0;
    if (colon == 0 || number < 1 || number > 65535) {
        return invalidArgument("--controller: \"" + controller + "\" is not HOST:PORT");
    }
    return absl::OkStatus();
}

// One, or several with commas between.
absl::Status checkController(const std::string& controllers) {
    for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
        end = controllers.find(',', begin);
        HS_RETURN_IF_ERROR(checkOneController(controllers.substr(begin, end == std::string::npos ? end : end - begin)));
    }
    return absl::OkStatus();
}

absl::Status checkCgroupParent(const std::string& parent) {
    const std::string framed = "/" + parent + "/";
    for (const char* bad : {"//", "/./", "/../"}) {
        if (framed.find(bad) != std::string::npos) {
            return invalidArgument("--cgroup-parent: \"" + parent + "\" is not a plain relative path");
        }
    }
    return absl::OkStatus();
}

absl::Status checkIds(const NodedOptions& options) {
    if (options.first_id < kRangeSize) return invalidArgument("--first-id: below 65536 are the host's own ids");
    if (options.id_ranges == 0) return invalidArgument("--id-ranges: at least 1 is needed");
    if (options.first_id + options.id_ranges * kRangeSize > kIdsEnd) {
        return invalidArgument("--id-ranges: " + std::to_string(options.id_ranges) + " ranges from " +
                               std::to_string(options.first_id) + " go beyond the last id");
    }
    return absl::OkStatus();
}

// "[fd00::1]:53" or "192.0.2.1:53".
absl::StatusOr<SocketAddress> parseSocketAddress(const std::string& text) {
    const absl::Status refused = invalidArgument("\"" + text + "\" is not ADDRESS:PORT, like [fd00::1]:53");
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) return refused;
    const std::string port = text.substr(colon + 1);
    const bool numeric = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
    const int number = numeric ? std::stoi(port) : 0;
    if (number < 1 || number > 65535) return refused;
    std::string host = text.substr(0, colon);
    if (in_addr ipv4{}; ::inet_pton(AF_INET, host.c_str(), &ipv4) == 1) {
        host = "[::ffff:" + host + "]";
    }
    if (host.front() != '[' || host.back() != ']') return refused;
    const auto address = Ipv6Address::parse(host.substr(1, host.size() - 2));
    if (!address.ok()) return refused;
    return SocketAddress{.address = *address, .port = static_cast<uint16_t>(number)};
}

// "12h": a number and s, m, h or d.
absl::StatusOr<std::chrono::seconds> parseKeepFlows(const std::string& text) {
    constexpr std::chrono::seconds kLongest = std::chrono::hours(24 * 3650);
    const std::map<char, int64_t> units{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const auto unit = text.empty() ? units.end() : units.find(text.back());
    const std::string number = text.substr(0, text.empty() ? 0 : text.size() - 1);
    const bool numeric =
        !number.empty() && number.size() <= 9 && number.find_first_not_of("0123456789") == std::string::npos;
    const std::chrono::seconds keep(numeric && unit != units.end() ? std::stoll(number) * unit->second : 0);
    if (keep > std::chrono::seconds(0) && keep <= kLongest) return keep;
    return invalidArgument("--keep-flows: \"" + text + "\" is not a time like 12h or 7d");
}

absl::Status checkNameServers(const std::vector<std::string>& texts, NodedOptions& options) {
    if (texts == std::vector<std::string>{"none"}) {
        options.forwards_names = false;
        return absl::OkStatus();
    }
    for (const std::string& text : texts) {
        in_addr ipv4{};
        if (::inet_pton(AF_INET, text.c_str(), &ipv4) == 1 || Ipv6Address::parse(text).ok()) continue;
        return invalidArgument("--name-server: \"" + text + "\" is no address");
    }
    options.name_servers = texts;
    return absl::OkStatus();
}

absl::Status checkHomeAgent(const NodedOptions& options) {
    if (!options.home_agent && (options.home_agent_address || options.active_active || options.on_link)) {
        return invalidArgument("--home-agent-address, --active-active and --on-link are for nodes with --home-agent");
    }
    if (options.home_agent && (options.reverse_tunnel || options.outbound)) {
        return invalidArgument("--reverse-tunnel and --outbound are for nodes with slivers, not with --home-agent");
    }
    if (options.active_active && (options.home_agent_address || options.on_link)) {
        return invalidArgument(
            "--active-active: all would claim --home-agent-address and what --on-link answers for; leave one out");
    }
    return absl::OkStatus();
}

absl::Status complete(NodedOptions& options, const AddressTexts& texts) {
    HS_RETURN_IF_ERROR_CTX(checkName("node name", options.name), "--name");
    HS_RETURN_IF_ERROR(checkDirectory("--state-dir", options.state_directory));
    HS_RETURN_IF_ERROR(checkDirectory("--run-dir", options.run_directory));
    for (const std::string& volume : options.volumes) HS_RETURN_IF_ERROR(checkDirectory("--volume", volume));
    HS_RETURN_IF_ERROR(checkUplink(options.uplink));
    HS_RETURN_IF_ERROR(checkController(options.controller));
    if (options.cgroup_parent.empty()) options.cgroup_parent = "homeslice/" + options.name;
    HS_RETURN_IF_ERROR(checkCgroupParent(options.cgroup_parent));
    HS_RETURN_IF_ERROR(checkIds(options));
    if (!texts.care_of.empty()) {
        HS_ASSIGN_OR_RETURN_CTX(options.care_of_address, parseAddress(texts.care_of), "--care-of");
    }
    if (!texts.home_agent_address.empty()) {
        HS_ASSIGN_OR_RETURN_CTX(options.home_agent_address, Ipv6Address::parse(texts.home_agent_address),
                                "--home-agent-address");
    }
    if (!texts.dns.empty()) {
        HS_ASSIGN_OR_RETURN_CTX(options.dns, parseSocketAddress(texts.dns), "--dns");
    }
    HS_ASSIGN_OR_RETURN(options.keep_flows, parseKeepFlows(texts.keep_flows));
    HS_RETURN_IF_ERROR(checkNameServers(texts.name_servers, options));
    if (options.correspondent && options.home_agent) {
        return invalidArgument("--correspondent: a home agent knows all bindings anyway; leave one out");
    }
    if (options.behind_nat && (options.correspondent || options.home_agent)) {
        return invalidArgument("--behind-nat is for nodes with slivers, not with --home-agent or --correspondent");
    }
    return checkHomeAgent(options);
}

void addJoinOptions(CLI::App& app, JoinOptions& options) {
    app.add_option("--controller", options.controller, "HOST:PORT of sliced; of several, with commas between")
        ->required();
    app.add_option("--token", options.token, "from `slicectl node token NODE`; good once")->required();
    app.add_option("--state-dir", options.state_directory, "the certificate is kept below it")->required();
    app.add_option("--name", options.name, "name of this node; default: the token's");
    app.set_config("--config", "", "noded's own configuration file");
    app.allow_config_extras(CLI::config_extras_mode::ignore);
    app.footer("Example: noded join --config /etc/homeslice/noded.conf --token TOKEN");
}

absl::Status complete(const JoinOptions& options) {
    HS_RETURN_IF_ERROR(checkDirectory("--state-dir", options.state_directory));
    return checkController(options.controller);
}

std::string firstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

absl::StatusOr<CommandLine> parseJoin(const std::vector<std::string>& arguments) {
    CommandLine line;
    line.join.emplace();
    CLI::App app("Get this node's certificate from the controller", "noded join");
    try {
        addJoinOptions(app, *line.join);
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
        HS_RETURN_IF_ERROR(complete(*line.join));
    } catch (const CLI::CallForHelp&) {
        line.help = app.help();
    } catch (const CLI::Error& error) {
        return invalidArgument(firstLine(error.what()));
    }
    return line;
}

}  // namespace

absl::StatusOr<CommandLine> parseCommandLine(const std::vector<std::string>& arguments) {
    CommandLine line;
    if (!arguments.empty() && arguments.front() == "join") {
        return parseJoin(std::vector<std::string>(arguments.begin() + 1, arguments.end()));
    }
    CLI::App app("noded, the node daemon of Homeslice", "noded");
    app.footer("`noded join` gets the node's certificate; see noded join --help");
    try {
        AddressTexts texts;
        addOptions(app, line.options, texts);
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them last to first
        HS_RETURN_IF_ERROR(complete(line.options, texts));
    } catch (const CLI::CallForHelp&) {
        line.help = app.help();
    } catch (const CLI::Error& error) {
        return invalidArgument(firstLine(error.what()));
    }
    return line;
}

}  // namespace homeslice
