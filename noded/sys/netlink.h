// Links, addresses, routes and neighbours by rtnetlink (libnl-route-3). One socket, bound for life to the network
// namespace that it was opened in. Threads: one caller at a time per Netlink object.
// Every "add" is safe to repeat (EEXIST of an equal object is OK), every "delete" of what is not there is OK.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/ipv6.h"

struct nl_sock;

namespace homeslice::sys {

using MacAddress = std::array<uint8_t, 6>;

struct Link {
    int index = 0;
    std::string name;
    MacAddress mac{};
    uint32_t mtu = 0;
    bool up = false;
};

struct VethPair {
    std::string name;  // here
    MacAddress mac{};
    std::string peer_name;  // there
    MacAddress peer_mac{};
    int peer_netns_fd = -1;  // network namespace of the peer, borrowed
    uint32_t mtu = 0;
};

// Leads packets that match all that is set into a routing table (ip-rule(8)).
struct RoutingRule {
    uint32_t priority = 0;
    uint32_t table = 254;
    uint32_t mark = 0;           // 0: any
    uint32_t mask = 0xffffffff;  // of the mark
    uint32_t go_on_at = 0;       // priority of the rule to go on at, instead of a table; 0: none
    Ipv6Prefix destination;      // length 0: any
    std::string input_link;      // "lo": sent by this host itself; empty: any
};

class Netlink {
public:
    // A socket in the caller's network namespace.
    static absl::StatusOr<Netlink> open();
    // A socket in the network namespace behind `netns_fd` (the calling thread enters it and comes back).
    static absl::StatusOr<Netlink> openIn(int netns_fd);

    Netlink(Netlink&&) noexcept;
    Netlink& operator=(Netlink&&) noexcept;
    ~Netlink();

    // NOT_FOUND when there is no such link.
    absl::StatusOr<Link> link(const std::string& name);
    // The index alone, of a link that is there: unlike link() it does not wait for those who change links meanwhile
    // (the kernel's RTNL lock), but has the kernel look for a module when there is none of that name.
    absl::StatusOr<int> index(const std::string& name) const;
    // Both ends down, without addresses. ALREADY_EXISTS when the name is taken.
    absl::Status addVeth(const VethPair& pair);
    absl::Status deleteLink(const std::string& name);
    absl::Status setUp(int index);
    // Without duplicate address detection (IFA_F_NODAD): the address is usable at once.
    // `deprecated` (RFC 4862): answers from it, but is the source of what this host begins only when asked for.
    absl::Status addAddress(int index, const Ipv6Address& address, uint8_t prefix_length, bool deprecated = false);
    // As a deprecated one, which the kernel takes away after `lease` (rounded up, about a second late) unless this is
    // repeated.
    absl::Status leaseAddress(int index, const Ipv6Address& address, std::chrono::seconds lease);
    // One that was added as a /128.
    absl::Status deleteAddress(int index, const Ipv6Address& address);
    // `gateway` unset: on link. `mtu` 0: the link's. A locked mtu (RTAX_LOCK) also bounds forwarding.
    // `on_link`: the gateway is taken to be a neighbour, whatever the routes say.
    absl::Status addRoute(const Ipv6Prefix& destination, int index, const std::optional<Ipv6Address>& gateway,
                          uint32_t mtu = 0, bool lock_mtu = false, uint32_t table = 254, bool on_link = false);
    absl::Status addUnreachable(const Ipv6Prefix& destination, uint32_t metric);
    absl::Status deleteRoute(const Ipv6Prefix& destination, uint32_t table = 254);
    absl::Status addRule(const RoutingRule& rule);
    absl::Status deleteRule(const RoutingRule& rule);
    // A permanent neighbour entry.
    absl::Status addNeighbour(int index, const Ipv6Address& address, const MacAddress& mac);

    // Answers neighbour solicitations on this link for `address` (ip-neighbour(8), proxy).
    absl::Status addProxyNeighbour(int index, const Ipv6Address& address);
    absl::Status deleteProxyNeighbour(int index, const Ipv6Address& address);

    // For other topics of rtnetlink (traffic_control.h).
    nl_sock* socket() const { return socket_; }

private:
    explicit Netlink(nl_sock* socket);
    nl_sock* socket_ = nullptr;
};

// Locally administered, unicast, derived from the random bits of getrandom(2).
MacAddress randomMac();

}  // namespace homeslice::sys
