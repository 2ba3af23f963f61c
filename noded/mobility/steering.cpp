#include "noded/mobility/steering.h"

#include "base/file.h"
#include "base/status.h"
#include "noded/mobility/bpf/layout.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kTable = HS_KERNEL_MARK;
constexpr uint32_t kMarkPriority = 4850;
constexpr uint32_t kHomePriority = 4851;
constexpr uint32_t kUnreachableMetric = 256;

// In the discard-only prefix (RFC 6666): no packet ever leaves for it. A gateway that is neither the destination nor a
// link-local address also keeps the kernel from sending redirects.
Ipv6Address discardGateway() {
    std::array<uint8_t, 16> bytes{};
    bytes[0] = 0x01;
    bytes[15] = 0x01;
    return Ipv6Address(bytes);
}

constexpr sys::MacAddress kDiscardMac{0x02, 0, 0, 0, 0, 0x01};

sys::RoutingRule markRule() {
    return {.priority = kMarkPriority, .table = kTable, .mark = HS_KERNEL_MARK, .destination = {}, .input_link = ""};
}

sys::RoutingRule homeRule(const Ipv6Prefix& prefix) {
    return {.priority = kHomePriority, .table = kTable, .mark = 0, .destination = prefix, .input_link = "lo"};
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
    HS_RETURN_IF_ERROR(netlink.addRoute(Ipv6Prefix(), uplink, discardGateway(), sliver_mtu, true, kTable, true));
    return netlink.addRule(markRule());
}

absl::Status steerHomePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix) {
    return netlink.addRule(homeRule(prefix));
}

absl::Status unsteerHomePrefix(sys::Netlink& netlink, const Ipv6Prefix& prefix) {
    return netlink.deleteRule(homeRule(prefix));
}

absl::Status refuseUnbound(sys::Netlink& netlink, const Ipv6Prefix& prefix) {
    return netlink.addUnreachable(prefix, kUnreachableMetric);
}

absl::Status removeRefusals(sys::Netlink& netlink) {
    HS_RETURN_IF_ERROR(netlink.deleteRule(markRule()));
    return netlink.deleteRoute(Ipv6Prefix(), kTable);
}

}  // namespace homeslice::mobility
