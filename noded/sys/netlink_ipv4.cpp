#include "noded/sys/netlink_ipv4.h"

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <cerrno>
#include <memory>

#include "base/ipv4.h"
#include "base/status.h"

namespace homeslice::sys {
namespace {

constexpr int kHostLength = 32;

template <auto release>
struct Release {
    template <typename T>
    void operator()(T* object) const {
        release(object);
    }
};
using NlAddress = std::unique_ptr<nl_addr, Release<nl_addr_put>>;
using NlInterfaceAddress = std::unique_ptr<rtnl_addr, Release<rtnl_addr_put>>;
using NlRoute = std::unique_ptr<rtnl_route, Release<rtnl_route_put>>;

NlAddress ipv4Of(const Ipv6Address& address) {
    const in_addr ipv4 = address.isUnspecified() ? in_addr{} : toIn4(address);
    NlAddress result(nl_addr_build(AF_INET, &ipv4, sizeof ipv4));
    if (result) nl_addr_set_prefixlen(result.get(), address.isUnspecified() ? 0 : kHostLength);
    return result;
}

absl::Status outcomeOf(int error, const std::string& what) {
    if (error >= 0 || error == -NLE_EXIST) return absl::OkStatus();
    return errnoStatus(EIO, what + ": " + nl_geterror(error));
}

}  // namespace

absl::Status addIpv4Address(Netlink& netlink, int index, const Ipv6Address& address) {
    const NlInterfaceAddress entry(rtnl_addr_alloc());
    const NlAddress local = ipv4Of(address);
    if (!entry || !local) return errnoStatus(ENOMEM, "netlink message");
    rtnl_addr_set_ifindex(entry.get(), index);
    rtnl_addr_set_local(entry.get(), local.get());
    return outcomeOf(rtnl_addr_add(netlink.socket(), entry.get(), NLM_F_CREATE | NLM_F_EXCL),
                     "add address " + addressText(address));
}

absl::Status addIpv4Route(Netlink& netlink, const Ipv6Address& destination, int index, const Ipv6Address& gateway) {
    const NlRoute route(rtnl_route_alloc());
    const NlAddress to = ipv4Of(destination);
    const NlAddress via(nl_addr_build(AF_INET6, gateway.bytes().data(), gateway.bytes().size()));
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    if (!route || !to || !via || hop == nullptr) return errnoStatus(ENOMEM, "netlink message");
    rtnl_route_add_nexthop(route.get(), hop);  // owns it from here
    rtnl_route_set_family(route.get(), AF_INET);
    rtnl_route_set_dst(route.get(), to.get());
    rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
    rtnl_route_set_type(route.get(), RTN_UNICAST);
    rtnl_route_set_scope(route.get(), RT_SCOPE_UNIVERSE);
    rtnl_route_set_protocol(route.get(), RTPROT_STATIC);
    rtnl_route_nh_set_ifindex(hop, index);
    rtnl_route_nh_set_via(hop, via.get());
    return outcomeOf(rtnl_route_add(netlink.socket(), route.get(), NLM_F_CREATE | NLM_F_REPLACE),
                     "add IPv4 route by way of " + gateway.toString());
}

}  // namespace homeslice::sys
