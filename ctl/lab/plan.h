// What a lab consists of: names, addresses and the command line of every program. Pure: touches nothing.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "base/ipv6.h"

namespace homeslice::ctl::lab {

constexpr uint32_t kMostNodes = 50;
constexpr uint32_t kMostHomeAgents = 4;
constexpr uint32_t kMostCorrespondents = 9;
constexpr const char* kDefaultHomePrefix = "fd51:1ce::/48";

constexpr const char* kRunDirectory = "/run/homeslice/lab";
constexpr const char* kStateDirectory = "/var/lib/homeslice/lab";
constexpr const char* kCgroup = "homeslice-lab";     // below it, a group for each node
constexpr const char* kNamespacePrefix = "hs-lab-";  // of every network namespace, as in `ip netns`
constexpr const char* kSwitchNamespace = "hs-lab-switch";
constexpr const char* kBridge = "br0";  // in the switch's namespace
constexpr const char* kLink = "eth0";   // in every host's namespace
constexpr uint32_t kMtu = 1500;
constexpr uint8_t kUnderlayLength = 64;
constexpr uint8_t kIpv4UnderlayLength = 16;

// Hosts that every lab has, besides node1 to nodeN.
constexpr const char* kHomeAgent = "ha";      // the first; then "ha2" and so on
constexpr const char* kCorrespondent = "cn";  // then its number
constexpr const char* kController = "ctl";
constexpr const char* kClient = "client";
constexpr const char* kNat = "nat";  // only where nodes are behind it
constexpr const char* kNatInside = "10.52.0.1";

// A network namespace that stands for a machine.
struct Host {
    std::string name;     // also that of its port at the switch
    Ipv6Address address;  // by which the others know it; IPv4 ones as base/ipv4.h has them
    std::vector<Ipv6Address> addresses;
    bool routes_home = false;  // has a route to the home prefix, by way of the home agent in charge
    bool behind_nat = false;   // plugged into the NAT's bridge instead of the switch's

    std::string netns() const { return kNamespacePrefix + name; }
};

struct Program {
    std::string name;  // "sliced", or the node's
    std::string host;  // where it runs
    std::vector<std::string> argv;
    bool unprivileged = false;  // runs as nobody

    std::string log() const { return std::string(kRunDirectory) + "/" + name + ".log"; }
};

// Networks as some have them.
struct Network {
    bool ipv4 = false;        // nodes and controller have IPv4 addresses alone, home agents and client both
    bool outbound = false;    // nodes let slivers out under their own addresses
    uint32_t behind_nat = 0;  // how many nodes, the last ones, a NAT hides; with IPv4

    bool operator==(const Network&) const = default;
};

// How many there are of each; nodes from 1 to kMostNodes, home agents from 1 to kMostHomeAgents.
struct Sizes {
    uint32_t nodes = 0;
    uint32_t home_agents = 1;
    uint32_t correspondents = 0;
};

// Options of sliced and, the last one, of noded; empty: their default.
struct Times {
    std::string replace_after;
    std::string certificate_lifetime;
    std::string grace;
    std::string keep_flows;

    bool operator==(const Times&) const = default;
};

struct Plan {
    uint32_t nodes = 0;
    uint32_t home_agents = 1;
    uint32_t correspondents = 0;
    Ipv6Prefix home_prefix;
    Network network;
    Ipv6Address home_agent_address;  // where hosts send packets for the home prefix
    Times times;
    std::vector<Host> hosts;
    // The controller first: the others call it.
    std::vector<Program> programs;

    const Host& host(const std::string& name) const;  // one that is there
};

// `programs` is the directory of sliced and noded.
Plan makePlan(const Sizes& sizes, const Ipv6Prefix& home_prefix, const std::string& programs,
              const Network& network = {}, const Times& times = {});

// INVALID_ARGUMENT, naming `option`, unless the text is a prefix that holds /64 subnets and does not overlap the
// underlay.
absl::StatusOr<Ipv6Prefix> parseHomePrefix(const std::string& option, const std::string& text);

// The lab's controller, as an address for Client::connect().
std::string controllerAddress();
// Where sliced, which may not write to the lab's directory, keeps its socket; controllerAddress() is a link to it.
std::string controllerDirectory();
std::string controllerStateDirectory();
std::string nodeStateDirectory(const std::string& node);

}  // namespace homeslice::ctl::lab
