// What slivers begin with hosts outside, when their node lets it out under its own addresses (HS_NODE_OUTBOUND): marked
// here, translated by the kernel (outbound.cpp). Answers of a sliver, and what it begins with home addresses, keep its
// home address.
#pragma once

#include <linux/ip.h>

#include "noded/mobility/bpf/audit.bpf.h"
#include "noded/mobility/bpf/guard.bpf.h"
#include "noded/mobility/bpf/tunnel.bpf.h"

static __always_inline int translate(struct __sk_buff* skb) {
    skb->mark = HS_OUTBOUND_MARK;
    return TC_ACT_OK;
}

// A node with an IPv4 care-of address has no IPv6 address to lend: the home agent is the way out.
static __always_inline int translatesIpv6(const struct hs_node* self) {
    return (self->flags & HS_NODE_OUTBOUND) && !isIpv4(&self->care_of);
}

static __always_inline int isBegunConnection(const struct packet* packet) {
    const __u8 seen = 1;
    const struct hs_flow answer = {.source = packet->destination,
                                   .destination = packet->source,
                                   .source_port = packet->destination_port,
                                   .destination_port = packet->source_port,
                                   .protocol = IPPROTO_TCP};
    if (bpf_map_lookup_elem(&begun_flows, &answer)) return 1;
    if (!opensConnection(packet)) return 0;
    bpf_map_update_elem(&begun_flows, &answer, &seen, BPF_ANY);
    return 1;
}

// Later fragments go the way of their first.
static __always_inline int isOutboundFragment(const struct packet* packet) {
    const struct hs_fragmented key = {.source = packet->source,
                                      .destination = packet->destination,
                                      .identification = packet->fragment_identification};
    return bpf_map_lookup_elem(&fragmented, &key) != 0;
}

static __always_inline int isOutboundFlow(__u32 link, const struct packet* packet) {
    switch (packet->protocol) {
        case IPPROTO_TCP:
            return isBegunConnection(packet);
        case IPPROTO_UDP:
            return !isExposed(link, IPPROTO_UDP, packet->source_port);
        case IPPROTO_ICMPV6:
            return packet->icmp_type == ICMPV6_ECHO_REQUEST_TYPE;
        default:
            return 0;
    }
}

// Of a packet to other than a home address: whether the sliver began the flow that it belongs to.
__noinline int isOutbound(__u32 link, const struct packet* packet) {
    if (!packet) return 0;
    if (packet->later_fragment) return isOutboundFragment(packet);
    if (!isOutboundFlow(link, packet)) return 0;
    if (packet->fragment) {
        struct hs_flow flow = packet->flow;
        joinFragments(packet, &flow);
    }
    return 1;
}

static __always_inline int isOwnMac(const struct hs_port* port, const struct ethhdr* ethernet) {
    return sameMac(ethernet->h_source, port->link_addresses.destination);
}

static __always_inline int isInIpv4(__be32 address, __u32 prefix, __u32 length) {
    return ((bpf_ntohl(address) ^ prefix) >> (32 - length)) == 0;
}

// What is for a link, a machine itself, nobody or everybody: among the link-local addresses are those at which machines
// in clouds learn their secrets. And other slivers, whose IPv4 addresses mean nothing to anybody but their node.
static __always_inline int isOutsideIpv4(__be32 address) {
    return !isInIpv4(address, 0x00000000, 8) && !isInIpv4(address, 0x7f000000, 8) &&
           !isInIpv4(address, 0xa9fe0000, 16) && !isInIpv4(address, HS_SLIVER_IPV4, HS_SLIVER_IPV4_LENGTH) &&
           bpf_ntohl(address) < 0xe0000000;
}

// Nodes and the controller; of this node's other addresses the packet filter takes care.
static __always_inline int isGuardedIpv4(const struct hs_node* self, __be32 ipv4) {
    const struct hs_address address = mappedAddress(ipv4);
    const int own = isIpv4(&self->care_of) && ipv4 == self->care_of.words[3];
    return own || bpf_map_lookup_elem(&trusted_peers, &address) || bpf_map_lookup_elem(&guarded, &address);
}

// As far as the record of flows needs it, with mapped addresses; what is a later fragment has no ports.
static __always_inline void describeIpv4(struct __sk_buff* skb, const struct iphdr* header, struct packet* packet) {
    const __u32 transport = ETH_HLEN + header->ihl * 4;
    __builtin_memset(packet, 0, sizeof(*packet));
    packet->source = mappedAddress(header->saddr);
    packet->destination = mappedAddress(header->daddr);
    packet->protocol = header->protocol;
    if (header->protocol != IPPROTO_TCP && header->protocol != IPPROTO_UDP) return;
    if (header->frag_off & bpf_htons(0x1fff)) return;
    if (bpf_skb_load_bytes(skb, transport, &packet->source_port, sizeof(packet->source_port)) ||
        bpf_skb_load_bytes(skb, transport + 2, &packet->destination_port, sizeof(packet->destination_port)))
        packet->source_port = packet->destination_port = 0;
}

// `packet` is filled in.
static __always_inline int sendIpv4(struct __sk_buff* skb, const struct hs_node* self, const struct hs_port* port,
                                    struct packet* packet) {
    struct ethhdr ethernet;
    struct iphdr header;
    if (!(self->flags & HS_NODE_OUTBOUND) || !port->ipv4_address) return TC_ACT_SHOT;
    if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) ||
        bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header)) || header.version != 4)
        return drop(HS_DROPPED_MALFORMED);
    if (!isOwnMac(port, &ethernet) || header.saddr != port->ipv4_address) return drop(HS_DROPPED_SPOOFED_SOURCE);
    if (!isOutsideIpv4(header.daddr) || isGuardedIpv4(self, header.daddr)) return drop(HS_DROPPED_NOT_EXPOSED);
    describeIpv4(skb, &header, packet);
    auditPacket(skb, skb->ifindex, packet);
    return translate(skb);
}

// IPv4 to a sliver. That it is an answer the packet filter has seen.
static __always_inline int receiveTranslated(struct __sk_buff* skb) {
    const __u32 link = skb->ifindex;
    const struct hs_port* port = bpf_map_lookup_elem(&ports, &link);
    struct iphdr header;
    if (!port || !port->ipv4_address) return TC_ACT_SHOT;
    if (bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header))) return drop(HS_DROPPED_MALFORMED);
    return header.daddr == port->ipv4_address ? TC_ACT_OK : drop(HS_DROPPED_NOT_EXPOSED);
}
