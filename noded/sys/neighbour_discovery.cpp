#include "noded/sys/neighbour_discovery.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace homeslice::sys {
namespace {

constexpr uint8_t kHopLimit = 255;  // who has it comes from this link (RFC 4861 6.1)

struct LinkLayerOption {
    uint8_t type;
    uint8_t length;  // in units of 8 bytes
    MacAddress mac;
};

struct AdvertisementMessage {
    nd_neighbor_advert header;
    LinkLayerOption target;
};
static_assert(sizeof(AdvertisementMessage) == 32);

struct SolicitationFrame {
    ether_header ethernet;
    ip6_hdr ip;
    nd_neighbor_solicit message;
} __attribute__((packed));

in6_addr allNodes() { return in6_addr{{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01}}}; }

// RFC 4291 2.7.1.
in6_addr solicitedNode(const Ipv6Address& target) {
    in6_addr group{{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, 0, 0, 0}}};
    for (size_t i = 13; i < 16; ++i) group.s6_addr[i] = target.bytes()[i];
    return group;
}

uint16_t onesComplement(uint32_t sum) {
    while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

uint32_t sumOf(const void* data, size_t size) {
    uint32_t sum = 0;
    const auto* bytes = static_cast<const uint8_t*>(data);
    for (size_t i = 0; i < size; i += 2) sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    return sum;
}

// Over the pseudo header of RFC 8200 8.1 and the message.
uint16_t checksumOf(const ip6_hdr& ip, const nd_neighbor_solicit& message) {
    return htons(onesComplement(sumOf(&ip.ip6_src, 2 * sizeof(in6_addr)) + sumOf(&message, sizeof message) +
                                sizeof message + IPPROTO_ICMPV6));
}

absl::Status setOption(int fd, int level, int name, const void* value, socklen_t size) {
    return ::setsockopt(fd, level, name, value, size) == 0 ? absl::OkStatus() : errnoStatus(errno, "setsockopt");
}

absl::StatusOr<UniqueFd> openIcmp(const Link& link) {
    UniqueFd fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
    if (!fd) return errnoStatus(errno, "socket");
    const int hops = kHopLimit;
    const int off = 0;
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
    ICMP6_FILTER_SETPASS(ND_NEIGHBOR_SOLICIT, &filter);
    HS_RETURN_IF_ERROR(setOption(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops));
    HS_RETURN_IF_ERROR(setOption(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &off, sizeof off));
    HS_RETURN_IF_ERROR(setOption(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &link.index, sizeof link.index));
    HS_RETURN_IF_ERROR(setOption(fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter));
    HS_RETURN_IF_ERROR(
        setOption(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, link.name.c_str(), static_cast<socklen_t>(link.name.size())));
    return fd;
}

}  // namespace

absl::StatusOr<NeighbourDiscovery> NeighbourDiscovery::open(const Link& link) {
    HS_ASSIGN_OR_RETURN_CTX(UniqueFd socket_fd, openIcmp(link), "neighbour discovery on " + link.name);
    UniqueFd raw(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (!raw) return errnoStatus(errno, "packet socket");
    return NeighbourDiscovery(std::move(socket_fd), std::move(raw), link);
}

absl::Status NeighbourDiscovery::advertise(const Ipv6Address& target) const {
    AdvertisementMessage message{};
    message.header.nd_na_type = ND_NEIGHBOR_ADVERT;
    message.header.nd_na_flags_reserved = ND_NA_FLAG_ROUTER | ND_NA_FLAG_OVERRIDE;
    message.header.nd_na_target = target.toIn6();
    message.target = {.type = ND_OPT_TARGET_LINKADDR, .length = 1, .mac = link_.mac};
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_addr = allNodes();
    to.sin6_scope_id = static_cast<uint32_t>(link_.index);
    // The kernel fills in the checksum.
    if (::sendto(socket_.get(), &message, sizeof message, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
        return errnoStatus(errno, "advertise " + target.toString() + " on " + link_.name);
    return absl::OkStatus();
}

absl::Status NeighbourDiscovery::probe(const Ipv6Address& target) const {
    SolicitationFrame frame{};
    nd_neighbor_solicit message{};
    ip6_hdr ip{};
    message.nd_ns_type = ND_NEIGHBOR_SOLICIT;
    message.nd_ns_target = target.toIn6();
    ip.ip6_flow = htonl(6U << 28);
    ip.ip6_plen = htons(sizeof message);
    ip.ip6_nxt = IPPROTO_ICMPV6;
    ip.ip6_hlim = kHopLimit;
    ip.ip6_dst = solicitedNode(target);
    message.nd_ns_cksum = checksumOf(ip, message);
    frame.ip = ip;
    frame.message = message;
    frame.ethernet.ether_type = htons(ETHERTYPE_IPV6);
    std::memcpy(frame.ethernet.ether_shost, link_.mac.data(), link_.mac.size());
    // RFC 2464 7.
    frame.ethernet.ether_dhost[0] = frame.ethernet.ether_dhost[1] = 0x33;
    std::memcpy(frame.ethernet.ether_dhost + 2, ip.ip6_dst.s6_addr + 12, 4);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = link_.index;
    if (::sendto(raw_.get(), &frame, sizeof frame, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
        return errnoStatus(errno, "probe for " + target.toString() + " on " + link_.name);
    return absl::OkStatus();
}

std::optional<Ipv6Address> NeighbourDiscovery::nextClaim() const {
    for (;;) {
        std::array<uint8_t, 1500> message{};
        sockaddr_in6 from{};
        socklen_t length = sizeof from;
        const ssize_t size =
            ::recvfrom(socket_.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
        if (size < 0) return std::nullopt;
        if (static_cast<size_t>(size) < sizeof(nd_neighbor_advert)) continue;
        nd_neighbor_advert header{};  // a solicitation has its target in the same place
        std::memcpy(&header, message.data(), sizeof header);
        // A solicitation claims its target only when it comes from nowhere: the other is detecting duplicates, too.
        if (header.nd_na_type == ND_NEIGHBOR_SOLICIT && !IN6_IS_ADDR_UNSPECIFIED(&from.sin6_addr)) continue;
        return Ipv6Address(header.nd_na_target);
    }
}

}  // namespace homeslice::sys
