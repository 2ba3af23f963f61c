#include "noded/mobility/outbound.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <string>

#include "base/file.h"
#include "base/ipv4.h"
#include "base/status.h"
#include "noded/mobility/bpf/layout.h"
#include "noded/sys/nftables.h"

namespace homeslice::mobility {
namespace {

const std::string kTable = "homeslice_outbound";
// Adding first makes deleting safe to repeat.
const std::string kDropTable = "add table inet " + kTable + "; delete table inet " + kTable + ";";

std::string sliverPrefix() {
    return addressText(mappedAddress({htonl(HS_SLIVER_IPV4)})) + "/" + std::to_string(HS_SLIVER_IPV4_LENGTH);
}

// What a sliver answers under its home address would fill the table of connections for nothing.
std::string leaveUntracked(const Ipv6Prefix& home_prefix) {
    if (home_prefix.length() == 0) return "";
    return fmt::format("ip6 saddr {} meta mark & {:#x} != {:#x} notrack", home_prefix.toString(), HS_KERNEL_MARK_MASK,
                       HS_OUTBOUND_MARK);
}

}  // namespace

// Slivers' IPv4 reaches this node's own addresses as little as their IPv6 does (bpf/guard.bpf.h), and neighbours of the
// node that route to slivers' IPv4 addresses reach nobody.
absl::Status translateOutbound(const Ipv6Prefix& home_prefix) {
    HS_RETURN_IF_ERROR(writeControlFile("/proc/sys/net/ipv4/ip_forward", "1"));
    const std::string marked = fmt::format("meta mark & {:#x} == {:#x}", HS_KERNEL_MARK_MASK, HS_OUTBOUND_MARK);
    const std::string slivers = sliverPrefix();
    return withContext(
        sys::runNft(kDropTable + fmt::format(R"(
        table inet {} {{
            chain untracked {{
                type filter hook prerouting priority raw; policy accept;
                {}
            }}
            chain own {{
                type filter hook input priority filter; policy accept;
                meta nfproto ipv4 {} reject with icmp type admin-prohibited
            }}
            chain back {{
                type filter hook forward priority filter; policy accept;
                ip daddr {} ct state established,related accept
                ip daddr {} drop
            }}
            chain out {{
                type nat hook postrouting priority srcnat; policy accept;
                {} masquerade
            }}
        }})",
                                             kTable, leaveUntracked(home_prefix), marked, slivers, slivers, marked)),
        "the slivers' way out");
}

absl::Status stopTranslating() { return withContext(sys::runNft(kDropTable), "the slivers' way out"); }

Ipv6Address sliverIpv4(uint16_t number) { return mappedAddress({htonl(HS_SLIVER_IPV4 | number)}); }

}  // namespace homeslice::mobility
