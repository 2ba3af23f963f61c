#include "noded/sys/netlink.h"

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

template <auto release>
struct Release {
    template <typename T>
    void operator()(T* object) const {
        release(object);
    }
};
using NlAddress = std::unique_ptr<nl_addr, Release<nl_addr_put>>;
using NlLink = std::unique_ptr<rtnl_link, Release<rtnl_link_put>>;
using NlVeth = std::unique_ptr<rtnl_link, Release<rtnl_link_veth_release>>;
using NlInterfaceAddress = std::unique_ptr<rtnl_addr, Release<rtnl_addr_put>>;
using NlRoute = std::unique_ptr<rtnl_route, Release<rtnl_route_put>>;
using NlRule = std::unique_ptr<rtnl_rule, Release<rtnl_rule_put>>;
using NlNeighbour = std::unique_ptr<rtnl_neigh, Release<rtnl_neigh_put>>;

constexpr uint32_t kForever = 0xffffffff;  // seconds, of an address (rtnetlink(7))

int errnoFromNl(int error) {
    switch (error < 0 ? -error : error) {
        case NLE_EXIST:
            return EEXIST;
        case NLE_NODEV:
        case NLE_OBJ_NOTFOUND:
            return ENODEV;
        case NLE_NOADDR:
            return EADDRNOTAVAIL;
        case NLE_INVAL:
            return EINVAL;
        case NLE_RANGE:
            return ERANGE;
        case NLE_BUSY:
            return EBUSY;
        case NLE_NOMEM:
            return ENOMEM;
        case NLE_PERM:
        case NLE_NOACCESS:
            return EPERM;
        case NLE_OPNOTSUPP:
            return EOPNOTSUPP;
        case NLE_AGAIN:
            return EAGAIN;
        case NLE_INTR:
            return EINTR;
        default:
            return EIO;
    }
}

absl::Status nlStatus(int error, const std::string& what) {
    return errnoStatus(errnoFromNl(error), what + ": " + nl_geterror(error));
}

bool isGone(int error) {
    const int code = error < 0 ? -error : error;
    return code == NLE_OBJ_NOTFOUND || code == NLE_NODEV || code == NLE_NOADDR;
}

bool exists(int error) { return error == -NLE_EXIST; }

NlAddress addressOf(const Ipv6Address& address, int prefix_length = 128) {
    NlAddress result(nl_addr_build(AF_INET6, address.bytes().data(), address.bytes().size()));
    if (result) nl_addr_set_prefixlen(result.get(), prefix_length);
    return result;
}

NlAddress addressOf(const MacAddress& mac) { return NlAddress(nl_addr_build(AF_LLC, mac.data(), mac.size())); }

absl::Status outOfMemory() { return errnoStatus(ENOMEM, "netlink message"); }

absl::StatusOr<NlRoute> makeRoute(const Ipv6Prefix& destination, uint32_t table, uint8_t type) {
    NlRoute route(rtnl_route_alloc());
    const NlAddress to = addressOf(destination.address(), destination.length());
    if (!route || !to) return outOfMemory();
    rtnl_route_set_family(route.get(), AF_INET6);
    rtnl_route_set_dst(route.get(), to.get());
    rtnl_route_set_table(route.get(), table);
    rtnl_route_set_type(route.get(), type);
    rtnl_route_set_scope(route.get(), RT_SCOPE_UNIVERSE);
    rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
    return route;
}

absl::StatusOr<NlRule> makeRule(const RoutingRule& from) {
    NlRule rule(rtnl_rule_alloc());
    if (!rule) return outOfMemory();
    rtnl_rule_set_family(rule.get(), AF_INET6);
    rtnl_rule_set_prio(rule.get(), from.priority);
    if (from.go_on_at != 0) {
        rtnl_rule_set_goto(rule.get(), from.go_on_at);
        rtnl_rule_set_action(rule.get(), FR_ACT_GOTO);
    } else {
        rtnl_rule_set_table(rule.get(), from.table);
        rtnl_rule_set_action(rule.get(), FR_ACT_TO_TBL);
    }
    if (from.mark != 0) {
        rtnl_rule_set_mark(rule.get(), from.mark);
        rtnl_rule_set_mask(rule.get(), from.mask);
    }
    if (from.destination.length() != 0) {
        const NlAddress to = addressOf(from.destination.address(), from.destination.length());
        if (!to) return outOfMemory();
        rtnl_rule_set_dst(rule.get(), to.get());
    }
    std::string input_link = from.input_link;
    if (!input_link.empty()) rtnl_rule_set_iif(rule.get(), input_link.data());
    return rule;
}

absl::StatusOr<NlNeighbour> makeProxy(int index, const Ipv6Address& address) {
    NlNeighbour neighbour(rtnl_neigh_alloc());
    const NlAddress ip = addressOf(address);
    if (!neighbour || !ip) return outOfMemory();
    rtnl_neigh_set_ifindex(neighbour.get(), index);
    rtnl_neigh_set_family(neighbour.get(), AF_INET6);
    rtnl_neigh_set_dst(neighbour.get(), ip.get());
    rtnl_neigh_set_flags(neighbour.get(), NTF_PROXY);
    return neighbour;
}

absl::StatusOr<nl_sock*> connectRoute() {
    nl_sock* socket = nl_socket_alloc();
    if (socket == nullptr) return outOfMemory();
    if (const int error = nl_connect(socket, NETLINK_ROUTE); error < 0) {
        nl_socket_free(socket);
        return nlStatus(error, "connect to rtnetlink");
    }
    return socket;
}

}  // namespace

Netlink::Netlink(nl_sock* socket) : socket_(socket) {}
Netlink::Netlink(Netlink&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}
Netlink& Netlink::operator=(Netlink&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
}
Netlink::~Netlink() {
    if (socket_ != nullptr) nl_socket_free(socket_);
}

absl::StatusOr<Netlink> Netlink::open() {
    HS_ASSIGN_OR_RETURN(nl_sock * socket, connectRoute());
    return Netlink(socket);
}

absl::StatusOr<Netlink> Netlink::openIn(int netns_fd) {
    HS_ASSIGN_OR_RETURN(const UniqueFd here, openFile("/proc/thread-self/ns/net", O_RDONLY));
    if (::setns(netns_fd, CLONE_NEWNET) != 0) return errnoStatus(errno, "setns(network namespace)");
    auto result = open();
    if (::setns(here.get(), CLONE_NEWNET) != 0) return errnoStatus(errno, "setns(back)");
    return result;
}

absl::StatusOr<Link> Netlink::link(const std::string& name) {
    rtnl_link* raw = nullptr;
    const int error = rtnl_link_get_kernel(socket_, 0, name.c_str(), &raw);
    if (isGone(error)) return notFound("no link " + name);
    if (error < 0) return nlStatus(error, "look up link " + name);
    const NlLink found(raw);
    Link result{.index = rtnl_link_get_ifindex(raw),
                .name = name,
                .mac = {},
                .mtu = rtnl_link_get_mtu(raw),
                .up = (rtnl_link_get_flags(raw) & IFF_UP) != 0};
    const nl_addr* mac = rtnl_link_get_addr(raw);
    if (mac != nullptr && nl_addr_get_len(mac) == result.mac.size())
        std::memcpy(result.mac.data(), nl_addr_get_binary_addr(mac), result.mac.size());
    return result;
}

absl::StatusOr<int> Netlink::index(const std::string& name) const {
    ifreq request{};
    if (name.size() >= sizeof(request.ifr_name)) return notFound("no link " + name);
    std::memcpy(request.ifr_name, name.data(), name.size());
    if (::ioctl(nl_socket_get_fd(socket_), SIOCGIFINDEX, &request) == 0) return request.ifr_ifindex;
    return errno == ENODEV ? notFound("no link " + name) : errnoStatus(errno, "look up link " + name);
}

absl::Status Netlink::addVeth(const VethPair& pair) {
    const NlVeth here(rtnl_link_veth_alloc());
    const NlAddress mac = addressOf(pair.mac);
    const NlAddress peer_mac = addressOf(pair.peer_mac);
    if (!here || !mac || !peer_mac) return outOfMemory();
    const NlLink peer(rtnl_link_veth_get_peer(here.get()));
    rtnl_link_set_name(here.get(), pair.name.c_str());
    rtnl_link_set_addr(here.get(), mac.get());
    rtnl_link_set_name(peer.get(), pair.peer_name.c_str());
    rtnl_link_set_addr(peer.get(), peer_mac.get());
    if (pair.peer_netns_fd >= 0) rtnl_link_set_ns_fd(peer.get(), pair.peer_netns_fd);
    if (pair.mtu != 0) {
        rtnl_link_set_mtu(here.get(), pair.mtu);
        rtnl_link_set_mtu(peer.get(), pair.mtu);
    }
    const int error = rtnl_link_add(socket_, here.get(), NLM_F_CREATE | NLM_F_EXCL);
    return error < 0 ? nlStatus(error, "add veth " + pair.name) : absl::OkStatus();
}

absl::Status Netlink::deleteLink(const std::string& name) {
    const NlLink link(rtnl_link_alloc());
    if (!link) return outOfMemory();
    rtnl_link_set_name(link.get(), name.c_str());
    const int error = rtnl_link_delete(socket_, link.get());
    return error < 0 && !isGone(error) ? nlStatus(error, "delete link " + name) : absl::OkStatus();
}

absl::Status Netlink::setUp(int index) {
    const NlLink link(rtnl_link_alloc());
    const NlLink change(rtnl_link_alloc());
    if (!link || !change) return outOfMemory();
    rtnl_link_set_ifindex(link.get(), index);
    rtnl_link_set_flags(change.get(), IFF_UP);
    const int error = rtnl_link_change(socket_, link.get(), change.get(), 0);
    return error < 0 ? nlStatus(error, "set link " + std::to_string(index) + " up") : absl::OkStatus();
}

absl::Status Netlink::addAddress(int index, const Ipv6Address& address, uint8_t prefix_length, bool deprecated) {
    const NlInterfaceAddress entry(rtnl_addr_alloc());
    const NlAddress local = addressOf(address, prefix_length);
    if (!entry || !local) return outOfMemory();
    rtnl_addr_set_ifindex(entry.get(), index);
    rtnl_addr_set_local(entry.get(), local.get());
    rtnl_addr_set_flags(entry.get(), IFA_F_NODAD);
    if (deprecated) {
        rtnl_addr_set_valid_lifetime(entry.get(), kForever);
        rtnl_addr_set_preferred_lifetime(entry.get(), 0);
    }
    const int error = rtnl_addr_add(socket_, entry.get(), NLM_F_CREATE | NLM_F_EXCL);
    return error < 0 && !exists(error) ? nlStatus(error, "add address " + address.toString()) : absl::OkStatus();
}

absl::Status Netlink::leaseAddress(int index, const Ipv6Address& address, std::chrono::seconds lease) {
    const NlInterfaceAddress entry(rtnl_addr_alloc());
    const NlAddress local = addressOf(address);
    if (!entry || !local) return outOfMemory();
    rtnl_addr_set_ifindex(entry.get(), index);
    rtnl_addr_set_local(entry.get(), local.get());
    rtnl_addr_set_flags(entry.get(), IFA_F_NODAD);
    rtnl_addr_set_valid_lifetime(entry.get(), static_cast<uint32_t>(lease.count()));
    rtnl_addr_set_preferred_lifetime(entry.get(), 0);
    const int error = rtnl_addr_add(socket_, entry.get(), NLM_F_CREATE | NLM_F_REPLACE);
    return error < 0 ? nlStatus(error, "lease address " + address.toString()) : absl::OkStatus();
}

absl::Status Netlink::deleteAddress(int index, const Ipv6Address& address) {
    const NlInterfaceAddress entry(rtnl_addr_alloc());
    const NlAddress local = addressOf(address);
    if (!entry || !local) return outOfMemory();
    rtnl_addr_set_ifindex(entry.get(), index);
    rtnl_addr_set_local(entry.get(), local.get());
    const int error = rtnl_addr_delete(socket_, entry.get(), 0);
    return error < 0 && !isGone(error) ? nlStatus(error, "delete address " + address.toString()) : absl::OkStatus();
}

absl::Status Netlink::addRoute(const Ipv6Prefix& destination, int index, const std::optional<Ipv6Address>& gateway,
                               uint32_t mtu, bool lock_mtu, uint32_t table, bool on_link) {
    HS_ASSIGN_OR_RETURN(const NlRoute route, makeRoute(destination, table, RTN_UNICAST));
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    if (hop == nullptr) return outOfMemory();
    rtnl_route_add_nexthop(route.get(), hop);  // owns it from here
    rtnl_route_nh_set_ifindex(hop, index);
    if (on_link) rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
    if (gateway) {
        const NlAddress via = addressOf(*gateway);
        if (!via) return outOfMemory();
        rtnl_route_nh_set_gateway(hop, via.get());
    }
    if (mtu != 0) rtnl_route_set_metric(route.get(), RTAX_MTU, mtu);
    if (lock_mtu) rtnl_route_set_metric(route.get(), RTAX_LOCK, 1U << RTAX_MTU);
    const int error = rtnl_route_add(socket_, route.get(), NLM_F_CREATE | NLM_F_REPLACE);
    return error < 0 && !exists(error) ? nlStatus(error, "add route to " + destination.toString()) : absl::OkStatus();
}

absl::Status Netlink::addUnreachable(const Ipv6Prefix& destination, uint32_t metric) {
    HS_ASSIGN_OR_RETURN(const NlRoute route, makeRoute(destination, RT_TABLE_MAIN, RTN_UNREACHABLE));
    rtnl_route_set_priority(route.get(), metric);
    const int error = rtnl_route_add(socket_, route.get(), NLM_F_CREATE | NLM_F_EXCL);
    return error < 0 && !exists(error) ? nlStatus(error, "make " + destination.toString() + " unreachable")
                                       : absl::OkStatus();
}

absl::Status Netlink::deleteRoute(const Ipv6Prefix& destination, uint32_t table) {
    HS_ASSIGN_OR_RETURN(const NlRoute route, makeRoute(destination, table, RTN_UNSPEC));
    rtnl_route_set_scope(route.get(), RT_SCOPE_NOWHERE);
    rtnl_route_set_protocol(route.get(), RTPROT_UNSPEC);
    const int error = rtnl_route_delete(socket_, route.get(), 0);
    // rtnetlink says ESRCH, which libnl knows as object not found.
    return error < 0 && !isGone(error) ? nlStatus(error, "delete route to " + destination.toString())
                                       : absl::OkStatus();
}

absl::Status Netlink::addRule(const RoutingRule& rule) {
    HS_ASSIGN_OR_RETURN(const NlRule entry, makeRule(rule));
    const int error = rtnl_rule_add(socket_, entry.get(), NLM_F_CREATE | NLM_F_EXCL);
    return error < 0 && !exists(error) ? nlStatus(error, "add routing rule " + std::to_string(rule.priority))
                                       : absl::OkStatus();
}

absl::Status Netlink::deleteRule(const RoutingRule& rule) {
    HS_ASSIGN_OR_RETURN(const NlRule entry, makeRule(rule));
    const int error = rtnl_rule_delete(socket_, entry.get(), 0);
    return error < 0 && !isGone(error) ? nlStatus(error, "delete routing rule " + std::to_string(rule.priority))
                                       : absl::OkStatus();
}

absl::Status Netlink::addNeighbour(int index, const Ipv6Address& address, const MacAddress& mac) {
    const NlNeighbour neighbour(rtnl_neigh_alloc());
    const NlAddress ip = addressOf(address);
    const NlAddress link_layer = addressOf(mac);
    if (!neighbour || !ip || !link_layer) return outOfMemory();
    rtnl_neigh_set_ifindex(neighbour.get(), index);
    rtnl_neigh_set_family(neighbour.get(), AF_INET6);
    rtnl_neigh_set_dst(neighbour.get(), ip.get());
    rtnl_neigh_set_lladdr(neighbour.get(), link_layer.get());
    rtnl_neigh_set_state(neighbour.get(), NUD_PERMANENT);
    const int error = rtnl_neigh_add(socket_, neighbour.get(), NLM_F_CREATE | NLM_F_REPLACE);
    return error < 0 ? nlStatus(error, "add neighbour " + address.toString()) : absl::OkStatus();
}

absl::Status Netlink::addProxyNeighbour(int index, const Ipv6Address& address) {
    HS_ASSIGN_OR_RETURN(const NlNeighbour neighbour, makeProxy(index, address));
    const int error = rtnl_neigh_add(socket_, neighbour.get(), NLM_F_CREATE | NLM_F_REPLACE);
    return error < 0 ? nlStatus(error, "add proxy neighbour " + address.toString()) : absl::OkStatus();
}

absl::Status Netlink::deleteProxyNeighbour(int index, const Ipv6Address& address) {
    HS_ASSIGN_OR_RETURN(const NlNeighbour neighbour, makeProxy(index, address));
    const int error = rtnl_neigh_delete(socket_, neighbour.get(), 0);
    return error < 0 && !isGone(error) ? nlStatus(error, "delete proxy neighbour " + address.toString())
                                       : absl::OkStatus();
}

MacAddress randomMac() {
    MacAddress mac{};
    // Up to 256 bytes never come short once the pool is initialized, and it is long before we run.
    while (::getrandom(mac.data(), mac.size(), 0) != static_cast<ssize_t>(mac.size())) {
    }
    mac[0] = static_cast<uint8_t>((mac[0] & 0xfc) | 0x02);
    return mac;
}

}  // namespace homeslice::sys
