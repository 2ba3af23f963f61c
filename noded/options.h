// noded's command line and configuration file.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "base/log.h"

namespace homeslice {

struct SocketAddress {
    Ipv6Address address;  // "::": all; ::ffff:a.b.c.d: an IPv4 address
    uint16_t port = 0;
};

struct NodedOptions {
    std::string name;
    std::string state_directory;
    std::string run_directory;
    std::string uplink;
    std::optional<Ipv6Address> care_of_address;  // also IPv4 (base/ipv4.h); unset: the uplink's first global address
    bool behind_nat = false;                     // nobody can connect to the care-of address, an IPv4 one
    uint32_t care_of_priority = 64;
    uint16_t api_port = 7401;
    std::string controller;  // "host:port", or several with commas between
    bool home_agent = false;
    std::optional<Ipv6Address> home_agent_address;  // that home agents of one prefix share
    uint32_t home_agent_priority = 100;
    uint32_t advertisement_interval_ms = 150;
    bool active_active = false;
    bool on_link = false;        // the home prefix is on the uplink's link
    bool correspondent = false;  // no slivers, but direct paths to others'
    bool reverse_tunnel = false;
    bool outbound = false;                  // slivers reach hosts outside under the node's addresses
    std::optional<SocketAddress> dns;       // where to answer outsiders' questions about names
    bool forwards_names = true;             // what slivers ask about other names
    std::vector<std::string> name_servers;  // to forward to; empty: those of /etc/resolv.conf
    std::chrono::seconds keep_flows = std::chrono::hours(24 * 7);  // who sent what
    uint32_t pool = 0;                                             // prepared environments for slivers to come; 0: none
    std::string cgroup_parent;                                     // relative to the root of each hierarchy
    uint32_t first_id = 1'000'000;
    uint32_t id_ranges = 4096;
    std::vector<std::string> volumes;  // directories that slivers may be given, with all below them
    LogLevel log_level = LogLevel::info;
};

// `noded join`
struct JoinOptions {
    std::string controller;  // "host:port"
    std::string token;
    std::string state_directory;
    std::string name;  // of the node, where the configuration file has it; else the token's
};

struct CommandLine {
    NodedOptions options;
    std::optional<JoinOptions> join;  // set: that is to be done, and `options` is void
    std::string help;                 // when not empty: print it and end, `options` is void
};

// `arguments` without the program's name. INVALID_ARGUMENT in one line that names the option.
absl::StatusOr<CommandLine> parseCommandLine(const std::vector<std::string>& arguments);

}  // namespace homeslice
