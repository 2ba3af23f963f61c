#include "noded/mobility/steering.h"

#include <fmt/format.h>

#include <set>

#include "base/file.h"
#include "base/status.h"
#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/bpf/mtu.h"
#include "noded/sys/nftables.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kMarkPriority = 4850;
constexpr uint32_t kHomePriority = 4851;
constexpr uint32_t kRefusalPriority = 48530;  // behind the main table: only marked packets get there
constexpr uint32_t kUnreachableMetric = 256;

// In the discard-only prefix (RFC 6666): no packet ever leaves for it. A gateway that is neither the destination nor a
// link-local address also keeps the kernel from sending redirects.
Ipv6Address discardGateway() {
    std::array<uint8_t, 16> bytes{};
    bytes[0] = 0x01;
    bytes[15] = 0x01;
    return Ipv6Address(bytes);
}

const std::string kRefusalTable = "homeslice_unbound";
// Adding first makes deleting safe to repeat.
const std::string kDropRefusals = "add table ip6 " + kRefusalTable + "; delete table ip6 " + kRefusalTable + ";";

constexpr sys::MacAddress kDiscardMac{0x02, 0, 0, 0, 0, 0x01};

uint32_t tableOf(uint32_t mtu) { return HS_KERNEL_MARK | mtu; }

// One rule stands before those of all other packets; it leads the marked ones to the rules that are for them.
sys::RoutingRule markRule() {
    return {.priority = kMarkPriority,
            .mark = HS_KERNEL_MARK,
            .mask = HS_KERNEL_MARK_MASK,
            .go_on_at = kRefusalPriority,
            .destination = {},
            .input_link = ""};
}

sys::RoutingRule refusalRule(uint32_t mtu) {
    return {.priority = kRefusalPriority,
            .table = tableOf(mtu),
            .mark = HS_KERNEL_MARK | mtu,
            .destination = {},
            .input_link = ""};
}

sys::RoutingRule homeRule(const Ipv6Prefix& prefix, uint32_t sliver_mtu) {
    return {.priority = kHomePriority, .table = tableOf(sliver_mtu), .destination = prefix, .input_link = "lo"};
}

// Every value of namedMtu().
std::set<uint32_t> namedMtus(uint32_t sliver_mtu) {
    std::set<uint32_t> result{sliver_mtu};
    for (uint32_t mtu = HS_LEAST_MTU; mtu < sliver_mtu; ++mtu) result.insert(namedMtu(mtu, sliver_mtu));
    return result;
}

}  // namespace

absl::Status enableForwarding(const std::string& uplink) {
    const std::string conf = "/proc/sys/net/ipv6/conf/";
    const std::string accept_ra = conf + uplink + "/accept_ra";
    // First: turning forwarding on forgets the routers of links that take advertisements from them as a host does.
    HS_ASSIGN_OR_RETURN(const std::string accepts, readFile(accept_ra));
    if (accepts.starts_with("1")) HS_RETURN_IF_ERROR(writeControlFile(accept_ra, "2"));
    HS_ASSIGN_OR_RETURN(const std::string forwards, readFile(conf + "all/forwarding"));
    return forwards.starts_with("1") ? absl::OkStatus() : writeControlFile(conf + "all/forwarding", "1");
}

absl::Status installRefusals(sys::Netlink& netlink, int uplink, uint32_t sliver_mtu) {
    HS_RETURN_IF_ERROR(netlink.addNeighbour(uplink, discardGateway(), kDiscardMac));
    for (const uint32_t mtu : namedMtus(sliver_mtu)) {
        HS_RETURN_IF_ERROR(netlink.addRoute(Ipv6Prefix(), uplink, discardGateway(), mtu, true, tableOf(mtu), true));
        HS_RETURN_IF_ERROR(netlink.addRule(refusalRule(mtu)));
    }
    return netlink.addRule(markRule());
}

absl::Status steerHomePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix, uint32_t sliver_mtu) {
    return netlink.addRule(homeRule(prefix, sliver_mtu));
}

absl::Status unsteerHomePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix, uint32_t sliver_mtu) {
    return netlink.deleteRule(homeRule(prefix, sliver_mtu));
}

// Before routing, for the kernel's own unreachable routes say "no route"; a home link's hosts also wait for the answers
// of neighbour discovery. Marked packets get errors of another kind.
absl::Status refuseUnbound(const Ipv6Prefix& prefix) {
    return withContext(
        sys::runNft(kDropRefusals + fmt::format(R"(
        table ip6 {} {{
            chain refuse {{
                type filter hook prerouting priority raw; policy accept;
                meta mark & {:#x} == {:#x} accept
                icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
                fib daddr type local accept
                ip6 daddr {} reject with icmpv6 type addr-unreachable
            }}
        }})",
                                                kRefusalTable, HS_KERNEL_MARK_MASK, HS_KERNEL_MARK, prefix.toString())),
        "answer for unbound home addresses");
}

absl::Status announcePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix) {
    return netlink.addUnreachable(prefix, kUnreachableMetric);
}

absl::Status removeRefusals(sys::Netlink& netlink, uint32_t sliver_mtu) {
    HS_RETURN_IF_ERROR(sys::runNft(kDropRefusals));
    HS_RETURN_IF_ERROR(netlink.deleteRule(markRule()));
    for (const uint32_t mtu : namedMtus(sliver_mtu)) {
        HS_RETURN_IF_ERROR(netlink.deleteRule(refusalRule(mtu)));
        HS_RETURN_IF_ERROR(netlink.deleteRoute(Ipv6Prefix(), tableOf(mtu)));
    }
    return absl::OkStatus();
}

}  // namespace homeslice::mobility
