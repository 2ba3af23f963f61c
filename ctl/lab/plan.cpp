#include "ctl/lab/plan.h"

#include <algorithm>
#include <array>

#include "base/ipv4.h"
#include "base/status.h"

namespace homeslice::ctl::lab {
namespace {

constexpr uint64_t kHomeAgentId = 0xa0a0;  // interface identifiers on the underlay
constexpr uint64_t kSharedHomeAgentId = 0xa000;
constexpr uint64_t kCorrespondentId = 0xb000;
constexpr uint64_t kControllerId = 0xc0c0;
constexpr uint64_t kClientId = 0xcccc;
constexpr uint64_t kNatId = 0xd0d0;
constexpr uint16_t kControllerPort = 7400;
constexpr uint16_t kNodePort = 7401;
constexpr uint16_t kDnsPort = 53;  // of each home agent
constexpr const char* kSocketName = "sliced.sock";
// Host user ids for the slivers of a node: a thousand ranges of 65536, none shared with another node's.
constexpr uint64_t kFirstId = 100'000'000;
constexpr uint64_t kIdRanges = 1000;
constexpr uint64_t kIdsPerRange = 65536;

Ipv6Prefix underlay() {
    constexpr std::array<uint8_t, 16> kUnderlay{0xfd, 0x00, 0x51, 0xce};
    return {Ipv6Address(kUnderlay), kUnderlayLength};
}

Ipv6Address underlayAddress(uint64_t id) { return underlay().address().withInterfaceId(id); }

// Of 10.51.0.0/16, which every host has beside IPv6 or instead of it.
Ipv6Address ipv4UnderlayAddress(uint64_t id) {
    constexpr in_addr_t kUnderlay = 10U << 24 | 51U << 16;
    return mappedAddress({htonl(kUnderlay | static_cast<in_addr_t>(id))});
}

// Of 10.52.0.0/16, which nobody outside the NAT knows.
Ipv6Address hiddenAddress(uint32_t number) {
    constexpr in_addr_t kHidden = 10U << 24 | 52U << 16 | 1U << 8;
    return mappedAddress({htonl(kHidden | number)});
}

std::string nodeName(uint32_t number) { return "node" + std::to_string(number); }

std::string homeAgentName(uint32_t number) { return number == 1 ? kHomeAgent : kHomeAgent + std::to_string(number); }

Host makeHost(const std::string& name, uint64_t id, const Network& network) {
    const Ipv6Address ipv6 = underlayAddress(id);
    const Ipv6Address ipv4 = ipv4UnderlayAddress(id);
    return {.name = name, .address = network.ipv4 ? ipv4 : ipv6, .addresses = {ipv6, ipv4}};
}

// With IPv4 only those who have to do with hosts outside have IPv6.
Host makeInnerHost(const std::string& name, uint64_t id, const Network& network) {
    Host host = makeHost(name, id, network);
    if (network.ipv4) host.addresses = {host.address};
    return host;
}

Host makeNodeHost(uint32_t number, const Sizes& sizes, const Network& network) {
    Host host = makeInnerHost(nodeName(number), number, network);
    host.routes_home = !network.ipv4;
    host.behind_nat = number + network.behind_nat > sizes.nodes;
    if (host.behind_nat) {
        host.address = hiddenAddress(number);
        host.addresses = {host.address};
    }
    return host;
}

std::string correspondentName(uint32_t number) { return kCorrespondent + std::to_string(number); }

std::vector<Host> makeHosts(const Sizes& sizes, const Network& network) {
    std::vector<Host> hosts{makeInnerHost(kController, kControllerId, network)};
    if (network.behind_nat > 0) hosts.push_back(makeInnerHost(kNat, kNatId, network));
    for (uint32_t number = 1; number <= sizes.home_agents; ++number) {
        hosts.push_back(makeHost(homeAgentName(number), kHomeAgentId + number - 1, network));
    }
    for (uint32_t number = 1; number <= sizes.nodes; ++number) {
        hosts.push_back(makeNodeHost(number, sizes, network));
    }
    for (uint32_t number = 1; number <= sizes.correspondents; ++number) {
        hosts.push_back(makeHost(correspondentName(number), kCorrespondentId + number, network));
        hosts.back().routes_home = true;
    }
    hosts.push_back(makeHost(kClient, kClientId, network));
    hosts.back().routes_home = true;
    return hosts;
}

Program makeController(const Plan& plan, const std::string& programs) {
    Program program{.name = "sliced",
                    .host = kController,
                    .argv = {programs + "/sliced", "--state-dir", controllerStateDirectory(), "--listen",
                             endpointText(plan.host(kController).address, kControllerPort), "--socket",
                             controllerDirectory() + "/" + kSocketName, "--home-prefix", plan.home_prefix.toString()},
                    .unprivileged = true};
    const auto add = [&program](const char* option, const std::string& time) {
        if (!time.empty()) program.argv.insert(program.argv.end(), {option, time});
    };
    add("--replace-after", plan.times.replace_after);
    add("--certificate-lifetime", plan.times.certificate_lifetime);
    add("--grace", plan.times.grace);
    return program;
}

Program makeNode(const Plan& plan, const std::string& programs, const std::string& name) {
    return {.name = name,
            .host = name,
            .argv = {programs + "/noded", "--name", name, "--state-dir", nodeStateDirectory(name), "--run-dir",
                     std::string(kRunDirectory) + "/" + name, "--uplink", kLink, "--care-of",
                     addressText(plan.host(name).address), "--api-port", std::to_string(kNodePort), "--controller",
                     endpointText(plan.host(kController).address, kControllerPort), "--cgroup-parent",
                     std::string(kCgroup) + "/" + name}};
}

Program makeHomeAgent(const Plan& plan, const std::string& programs, uint32_t number) {
    constexpr uint32_t kFirstPriority = 200;
    Program program = makeNode(plan, programs, homeAgentName(number));
    program.argv.insert(program.argv.end(),
                        {"--home-agent", "--dns", endpointText(plan.host(program.host).addresses.front(), kDnsPort)});
    if (plan.home_agents > 1) {
        program.argv.insert(program.argv.end(), {"--home-agent-address", plan.home_agent_address.toString(),
                                                 "--home-agent-priority", std::to_string(kFirstPriority - number)});
    }
    return program;
}

Program makeSliverNode(const Plan& plan, const std::string& programs, uint32_t number) {
    Program program = makeNode(plan, programs, nodeName(number));
    const uint64_t first_id = kFirstId + (number - 1) * kIdRanges * kIdsPerRange;
    program.argv.insert(program.argv.end(),
                        {"--first-id", std::to_string(first_id), "--id-ranges", std::to_string(kIdRanges)});
    if (plan.network.outbound) program.argv.push_back("--outbound");
    if (!plan.times.keep_flows.empty())
        program.argv.insert(program.argv.end(), {"--keep-flows", plan.times.keep_flows});
    if (plan.host(program.host).behind_nat) program.argv.push_back("--behind-nat");
    return program;
}

}  // namespace

const Host& Plan::host(const std::string& name) const {
    return *std::find_if(hosts.begin(), hosts.end(), [&](const Host& host) { return host.name == name; });
}

Plan makePlan(const Sizes& sizes, const Ipv6Prefix& home_prefix, const std::string& programs, const Network& network,
              const Times& times) {
    Plan plan{.nodes = sizes.nodes,
              .home_agents = sizes.home_agents,
              .correspondents = sizes.correspondents,
              .home_prefix = home_prefix,
              .network = network,
              .home_agent_address = underlayAddress(sizes.home_agents > 1 ? kSharedHomeAgentId : kHomeAgentId),
              .times = times,
              .hosts = makeHosts(sizes, network),
              .programs = {}};
    plan.programs.push_back(makeController(plan, programs));
    for (uint32_t number = 1; number <= sizes.home_agents; ++number) {
        plan.programs.push_back(makeHomeAgent(plan, programs, number));
    }
    for (uint32_t number = 1; number <= sizes.nodes; ++number) {
        plan.programs.push_back(makeSliverNode(plan, programs, number));
    }
    for (uint32_t number = 1; number <= sizes.correspondents; ++number) {
        plan.programs.push_back(makeNode(plan, programs, correspondentName(number)));
        plan.programs.back().argv.push_back("--correspondent");
    }
    return plan;
}

absl::StatusOr<Ipv6Prefix> parseHomePrefix(const std::string& option, const std::string& text) {
    constexpr uint8_t kShortest = 16;
    constexpr uint8_t kLongest = 60;
    HS_ASSIGN_OR_RETURN_CTX(const Ipv6Prefix prefix, Ipv6Prefix::parse(text), option);
    if (prefix.length() < kShortest || prefix.length() > kLongest) {
        return invalidArgument(option + ": " + text + ": the length must be from " + std::to_string(kShortest) +
                               " to " + std::to_string(kLongest) + ", a /64 for each slice");
    }
    if (prefix.address().isMulticast() || prefix.address().isLinkLocal()) {
        return invalidArgument(option + ": " + text + " is not a unicast prefix that can be routed");
    }
    if (prefix.contains(underlay().address())) {
        return invalidArgument(option + ": " + text + " overlaps " + underlay().toString() + ", the lab's own link");
    }
    return prefix;
}

std::string controllerAddress() { return std::string("unix:") + kRunDirectory + "/" + kSocketName; }

std::string controllerDirectory() { return std::string(kRunDirectory) + "/sliced"; }

std::string nodeStateDirectory(const std::string& node) { return std::string(kStateDirectory) + "/" + node; }

std::string controllerStateDirectory() { return std::string(kStateDirectory) + "/sliced"; }

}  // namespace homeslice::ctl::lab
