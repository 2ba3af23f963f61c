// The data plane of a node: eBPF programs at the tc hooks of the underlay link and of every sliver's port.
//
// Wire format: RFC 2473 IPv6-in-IPv6, next header 41, 40 bytes of overhead; or over IPv4 protocol 41 of RFC 4213, 20
// bytes, when the care-of address is an IPv4 one (base/ipv4.h), with 8 bytes of UDP (RFC 5555) to and from nodes behind
// NATs (base/nat.h). Those of all nodes are of one version. Maps are pinned
// and programs are held by their hooks, so that packets flow on while noded is dead; open() takes the maps over and
// replaces the programs. Threads: all methods may be called from any that is in the node's network namespace.
//
// On a home agent the HomeAgent is the only one to call setCareOf(), elsewhere the AccessGateway: one Forwarder serves
// one of them.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "noded/mobility/binding.h"
#include "noded/mobility/care_of.h"
#include "noded/mobility/chosen_flow.h"
#include "noded/mobility/flow_records.h"
#include "noded/sys/netlink.h"
#include "spec/sliver_spec.h"

namespace homeslice::mobility {

struct ForwarderConfig {
    std::string uplink;           // name of the underlay link
    Ipv6Address care_of_address;  // this node's, on the uplink
    std::string pin_directory;    // below a bpffs mount; created
    bool home_agent = false;      // encapsulate what arrives for bound home addresses
    // What slivers send to other than home addresses goes through the home agent, for networks that drop home addresses
    // as source. Always so with an IPv4 care-of address.
    bool reverse_tunnel = false;
    // What slivers begin with hosts outside goes out under this node's addresses: IPv4, and IPv6 unless the care-of
    // address is an IPv4 one.
    bool outbound = false;
};

// A sliver's port: the host end of its veth pair.
struct SliverPort {
    std::string link_name;  // host end
    sys::MacAddress host_mac{};
    sys::MacAddress sliver_mac{};
    Ipv6Address home_address;
    Ipv6Address slice_address;
    uint16_t binding_id = 0;           // under which it serves the slice's address
    uint16_t weight = kDefaultWeight;  // its part in that
    bool draining = false;             // takes no new flow to that
    Balance balance = Balance::hash;   // among the slice's slivers on this node
    std::vector<ExposedPort> exposed;  // reachable from outside the slice; ICMPv6 and answers always pass
    Ipv6Address ipv4_address{};        // IPv4-mapped, for Forwarder::givesIpv4(); unspecified: none
    bool queued = false;               // what it receives goes through the host end's queue, which limits its bandwidth
};

struct ForwarderCounters {
    uint64_t encapsulated_packets = 0;
    uint64_t encapsulated_bytes = 0;
    uint64_t decapsulated_packets = 0;
    uint64_t decapsulated_bytes = 0;
    uint64_t local_packets = 0;             // sliver to sliver on this node
    uint64_t dropped_spoofed_source = 0;    // at a sliver's port; inside a tunnel, a sliver's that is on another node
    uint64_t dropped_untrusted_tunnel = 0;  // outer source is no node of ours
    uint64_t dropped_not_exposed = 0;
    uint64_t dropped_no_sliver = 0;  // inner destination is not (or no longer) here
    uint64_t dropped_malformed = 0;  // truncated, not IPv6 inside, endless extension headers
    uint64_t packet_too_big = 0;     // handed to the kernel for an ICMPv6 Packet Too Big
    uint64_t path_mtu_changes = 0;   // a router on the way to another node said so
};

// Forwarded for one binding.
struct BindingCounters {
    uint64_t packets = 0;
    uint64_t bytes = 0;
};

// An IPv4 address (base/ipv4.h) and a port, host byte order.
struct UdpEndpoint {
    Ipv6Address address;
    uint16_t port = 0;

    auto operator<=>(const UdpEndpoint&) const = default;
};

class Forwarder {
public:
    // Takes over the pinned maps (or makes them), loads the programs and attaches them to the uplink (clsact, fixed
    // handle and priority). Turns IPv6 forwarding on (net.ipv6.conf.all.forwarding=1; accept_ra of the uplink from 1 to
    // 2, so that router advertisements go on counting) and installs the routing rules that the programs lean on, see
    // docs/design/data-plane.md. NOT_FOUND when there is no such uplink.
    static absl::StatusOr<std::unique_ptr<Forwarder>> open(const ForwarderConfig& config);
    virtual ~Forwarder() = default;

    // The sliver MTU: that of the uplink less the tunnel's overhead.
    virtual uint32_t sliverMtu() const = 0;
    // Whether slivers are to have IPv4 addresses (outbound.h), with ForwarderConfig::outbound.
    virtual bool givesIpv4() const { return false; }

    // Attaches the port's programs to a link that is no port yet: they drop everything until addPort().
    virtual absl::Status closePort(const std::string& link_name) = 0;
    // Attaches the port's programs and lets packets in. Safe to repeat, also with another share. The slivers of a slice
    // share what arrives here for the slice's address, HS_MAX_MEMBERS of them at most.
    virtual absl::Status addPort(const SliverPort& port) = 0;
    // Safe to repeat, also when the link has gone already.
    virtual absl::Status removePort(const SliverPort& port) = 0;
    // Whether the sliver has a part of what arrives here for its slice's address. From addPort() on it has, until told
    // otherwise, also across another addPort(). Safe to repeat; nothing for a sliver that has no port.
    virtual absl::Status setServing(const Ipv6Address& home_address, bool serving) = 0;

    // The care-of addresses of a home address, for encapsulation here (home agent: for everything that arrives; access
    // gateway: route optimization of what its slivers send), and how its flows spread over them. A set without members
    // unbinds. Takes effect for the next packet. Members that are draining get no new flow; when all are, new flows
    // find no one. Of more than HS_MAX_MEMBERS members the first ones count.
    virtual absl::Status setCareOf(const Ipv6Address& home_address, const CareOfSet& care_of) = 0;
    // Every home address that has care-of addresses in the (pinned) map.
    virtual absl::StatusOr<std::vector<Ipv6Address>> boundAddresses() = 0;

    // Prefix whose unbound destinations go to `home_agent` (unset address: this node is it).
    virtual absl::Status setHomePrefix(const Ipv6Prefix& prefix, const Ipv6Address& home_agent) = 0;
    // Another home agent for the same prefix, on nodes that are none. Takes effect for the next packet.
    virtual absl::Status setHomeAgent(const Ipv6Address& home_agent) = 0;
    // Keeps a route for the home prefix in the main table, or takes it away: routing daemons on a home agent announce
    // it. Nothing while no prefix is known.
    virtual absl::Status announceHomePrefix(bool announce) = 0;
    // Outer sources that tunnelled packets are taken from. Replaces the earlier set.
    virtual absl::Status setTrustedPeers(const std::vector<Ipv6Address>& peers) = 0;
    // Slivers can begin nothing with this address from now on, as with the peers' and this node's own. At most 64.
    virtual absl::Status guard(const Ipv6Address& address) = 0;

    // On a home agent: where a NAT shows the node with `care_of_address`; nothing: nowhere any more. Until it is known
    // nothing is sent there, and nothing taken from there. The default knows no such nodes.
    virtual absl::Status setNatBinding(const Ipv6Address& /*care_of_address*/,
                                       const std::optional<UdpEndpoint>& /*seen*/) {
        return absl::OkStatus();
    }
    virtual std::map<Ipv6Address, UdpEndpoint> natBindings() { return {}; }

    // The home agent's memory in pinned maps: what survives noded. A binding with lifetime 0 is one that was given up,
    // kept for its generation. Times come back as of now. The defaults remember nothing.
    virtual absl::Status saveBinding(const Binding& /*binding*/) { return absl::OkStatus(); }
    virtual absl::Status forgetBinding(const BindingKey& /*key*/) { return absl::OkStatus(); }
    virtual absl::StatusOr<std::vector<Binding>> savedBindings() { return std::vector<Binding>(); }

    // Whose the flows to shared addresses are, so far as they are remembered; and what another home agent knows of one
    // (`earlier`: what is remembered here is newer). The defaults remember nothing.
    virtual std::vector<ChosenFlow> flows() { return {}; }
    virtual absl::Status rememberFlow(const ChosenFlow& /*flow*/, bool /*earlier*/) { return absl::OkStatus(); }
    // The BPF ring buffer of choices that are made, on a home agent (hs_chosen_flow); the forwarder's own.
    virtual int chosenFlows() const { return -1; }

    // The BPF ring buffer of packets that came for slivers that are not here (bpf/stray.h); the forwarder's own.
    virtual int strays() const { return -1; }

    // What slivers have sent since `since`, flow by flow. The data plane forgets flows without a packet since
    // `ended_before`; one that has lasted `longest` goes on as another. The default has seen nothing.
    virtual absl::StatusOr<std::vector<FlowRecord>> takeFlows(Monotonic::time_point /*since*/,
                                                              Monotonic::time_point /*ended_before*/,
                                                              std::chrono::seconds /*longest*/) {
        return std::vector<FlowRecord>();
    }

    virtual absl::StatusOr<ForwarderCounters> counters() = 0;
    virtual absl::StatusOr<BindingCounters> countersOf(const BindingKey& binding) = 0;

    // The care-of addresses whose distance counts: those of sets with Balance::nearest. The defaults have no such sets.
    virtual std::vector<Ipv6Address> measuredAddresses() { return {}; }
    // The round trip as measured; nothing: no answer comes. From now on flows of those sets that begin go to the
    // nearest members, see nearest_sets.h.
    virtual absl::Status setRoundTrip(const Ipv6Address& /*care_of_address*/,
                                      std::optional<std::chrono::microseconds> /*round_trip*/) {
        return absl::OkStatus();
    }
    // As it was told; nothing when it was not measured.
    virtual std::optional<std::chrono::microseconds> roundTripTo(const Ipv6Address& /*care_of_address*/) {
        return std::nullopt;
    }
};

// Detaches and unpins everything below `config.pin_directory`. Safe to repeat.
absl::Status removeForwarder(const ForwarderConfig& config);

}  // namespace homeslice::mobility
