// Into the tunnel and out of it (RFC 2473; over IPv4 RFC 4213 3, in UDP RFC 5555 5.2), and the hand-over to the kernel.
#pragma once

#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include "noded/mobility/bpf/nat.bpf.h"
#include "noded/mobility/bpf/next_hop.bpf.h"
#include "noded/mobility/bpf/packet.bpf.h"
#include "noded/mobility/bpf/path_mtu.bpf.h"

enum {
    ECN_MASK = 0x03,
    ECN_NOT_ECT = 0x00,
    ECN_CE = 0x03,
    MINUS_EALREADY = -114,

    IPV4_DONT_FRAGMENT = 0x4000,
    IPV4_MORE_OR_OFFSET = 0x3fff,
};

// What the header around a tunnelled packet said.
struct outer {
    struct hs_address source;
    __u32 length;
    __u8 ipv4;
    __u8 traffic_class;
    __u8 relayed;
    __u8 udp;
};

// How a packet goes into a tunnel.
enum {
    TUNNEL_RELAYED = 1,  // sent on after a sliver
    TUNNEL_UDP = 2,      // as it came
};

static __always_inline int drop(enum hs_counter reason) {
    add(reason, 1);
    return TC_ACT_SHOT;
}

// The mark leads the packet into a routing table (steering.cpp) whose only route has that MTU, too narrow for it, so
// that the kernel answers with Packet Too Big or Time Exceeded.
static __always_inline int letKernelRefuse(struct __sk_buff* skb, __u32 mtu) {
    skb->mark = HS_KERNEL_MARK | mtu;
    return TC_ACT_OK;
}

static __always_inline void setHopLimit(struct __sk_buff* skb, __u8 hop_limit) {
    bpf_skb_store_bytes(skb, ETH_HLEN + __builtin_offsetof(struct ipv6hdr, hop_limit), &hop_limit, 1,
                        BPF_F_RECOMPUTE_CSUM);
}

static __always_inline int setEtherType(struct __sk_buff* skb, __u16 type) {
    const __be16 wire = bpf_htons(type);
    return bpf_skb_store_bytes(skb, __builtin_offsetof(struct ethhdr, h_proto), &wire, sizeof(wire), 0) ? -1 : 0;
}

// Length of the largest IPv6 packet that leaves for this socket buffer once segmented; `before` bytes of a tunnel's
// header, still in front of it, do not count.
static __always_inline __u32 packetLength(struct __sk_buff* skb, const struct packet* packet, __u32 before) {
    return skb->gso_size == 0 ? skb->len - ETH_HLEN - before : skb->gso_size + packet->header_length;
}

// For a header's field. What is longer is segmented before it leaves.
static __always_inline __u32 cappedLength(__u32 length) { return length > 0xffff ? 0xffff : length; }
static __always_inline __be16 lengthField(__u32 length) { return bpf_htons(cappedLength(length)); }

// Makes room for an outer header. Packets that are left with skb->encapsulation from an earlier tunnel refuse the ENCAP
// flags; their inner offsets are still right.
static __always_inline long makeRoom(struct __sk_buff* skb, __u32 length, __u64 version_flag) {
    const long error = bpf_skb_adjust_room(skb, length, BPF_ADJ_ROOM_MAC, version_flag | BPF_F_ADJ_ROOM_FIXED_GSO);
    if (error != MINUS_EALREADY) return error;
    return bpf_skb_adjust_room(skb, length, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

static __always_inline long wrapInIpv6(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self,
                                       const struct hs_address* care_of, __u32 relayed) {
    const __u32 length = skb->len - ETH_HLEN;
    const __u32 label = (hashFlow(&packet->flow) & HS_FLOW_LABEL_SPREAD) | (relayed ? HS_FLOW_LABEL_RELAYED : 0);
    if (makeRoom(skb, sizeof(struct ipv6hdr), BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)) return -1;
    struct ipv6hdr outer = {};
    const __be32 first = bpf_htonl(6u << 28 | (__u32)packet->traffic_class << 20 | label);
    __builtin_memcpy(&outer, &first, sizeof(first));
    outer.payload_len = lengthField(length);
    outer.nexthdr = IPPROTO_IPV6;
    outer.hop_limit = HS_TUNNEL_HOP_LIMIT;
    __builtin_memcpy(&outer.saddr, &self->care_of, sizeof(outer.saddr));
    __builtin_memcpy(&outer.daddr, care_of, sizeof(outer.daddr));
    return bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline __u16 headerChecksum(const struct iphdr* header) {
    const __u16* words = (const __u16*)header;
    __u32 sum = 0;
#pragma unroll
    for (int i = 0; i < (int)(sizeof(*header) / sizeof(__u16)); i++) sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

static __always_inline struct iphdr ipv4Header(const struct packet* packet, const struct hs_node* self, __be32 to,
                                               __u8 protocol, __u32 length, __u32 relayed) {
    // Never to be fragmented, so that routers tell what is too big for them.
    struct iphdr outer = {.version = 4,
                          .ihl = sizeof(outer) / 4,
                          .tos = packet->traffic_class,
                          .tot_len = lengthField(length + sizeof(outer)),
                          .id = relayed ? bpf_htons(HS_IDENTIFICATION_RELAYED) : 0,
                          .frag_off = bpf_htons(IPV4_DONT_FRAGMENT),
                          .ttl = HS_TUNNEL_HOP_LIMIT,
                          .protocol = protocol,
                          .saddr = self->care_of.words[3],
                          .daddr = to};
    outer.check = headerChecksum(&outer);
    return outer;
}

static __always_inline long wrapInIpv4(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self,
                                       const struct hs_address* end, __u32 relayed) {
    const __u32 length = skb->len - ETH_HLEN;
    if (makeRoom(skb, sizeof(struct iphdr), BPF_F_ADJ_ROOM_ENCAP_L3_IPV4)) return -1;
    // Left as it was by the second attempt of makeRoom(): then the packet would leave under the wrong name.
    if (skb->protocol != bpf_htons(ETH_P_IP)) return -1;
    const struct iphdr outer = ipv4Header(packet, self, end->words[3], IPPROTO_IPV6, length, relayed);
    if (setEtherType(skb, ETH_P_IP)) return -1;
    return bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), BPF_F_RECOMPUTE_CSUM);
}

// Without a checksum, as IPv4 lets (RFC 768): the packet inside has its own.
static __always_inline long wrapInUdp(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self,
                                      const struct hs_nat_binding* to, __u32 relayed) {
    const __u32 length = skb->len - ETH_HLEN;
    struct {
        struct iphdr ipv4;
        struct udphdr udp;
    } outer;
    if (makeRoom(skb, sizeof(outer), BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP)) return -1;
    if (skb->protocol != bpf_htons(ETH_P_IP)) return -1;
    outer.ipv4 = ipv4Header(packet, self, to->address, IPPROTO_UDP, length + sizeof(outer.udp), relayed);
    outer.udp.source = bpf_htons(HS_UDP_TUNNEL_PORT);
    outer.udp.dest = to->port;
    outer.udp.len = lengthField(length + sizeof(outer.udp));
    outer.udp.check = 0;
    if (setEtherType(skb, ETH_P_IP)) return -1;
    return bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline void countEncapsulated(__u32 length) {
    add(HS_ENCAPSULATED_PACKETS, 1);
    add(HS_ENCAPSULATED_BYTES, length);
}

// Puts outer headers before the packet. Non-zero, and the packet is counted as dropped, when that cannot be.
__noinline int wrap(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self,
                    const struct hs_address* care_of, __u32 how) {
    if (!packet || !self || !care_of) return -1;
    const __u32 length = skb->len - ETH_HLEN;
    const __u32 relayed = how & TUNNEL_RELAYED;
    const struct hs_address end = tunnelEnd(self, care_of);
    const int ipv4 = isIpv4(&self->care_of);
    long error;
    if (ipv4 != isIpv4(&end)) return drop(HS_DROPPED_NO_SLIVER);  // nothing leads from here to there
    if (!ipv4) {
        error = wrapInIpv6(skb, packet, self, &end, relayed);
    } else if ((how & TUNNEL_UDP) || isBehindNat(&self->care_of) || isBehindNat(care_of)) {
        const struct hs_nat_binding to = udpDestination(&end);
        if (!to.address) return drop(HS_DROPPED_NO_SLIVER);
        error = wrapInUdp(skb, packet, self, &to, relayed);
    } else {
        error = wrapInIpv4(skb, packet, self, &end, relayed);
    }
    if (error) return drop(HS_DROPPED_MALFORMED);
    countEncapsulated(length);
    return 0;
}

__noinline int sendToTunnelEnd(struct __sk_buff* skb, const struct hs_node* self, const struct hs_address* care_of) {
    if (!self || !care_of) return TC_ACT_SHOT;
    if (isIpv4(&self->care_of)) return bpf_redirect_neigh(self->uplink, 0, 0, 0);
    return sendToNextHop(skb, self, care_of);
}

// Puts outer headers before the packet and sends it on its way to `care_of`. `how`: of TUNNEL_*. Two functions, so that
// the stack of one is free for the other.
static __always_inline int encapsulate(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self,
                                       const struct hs_address* care_of, __u32 how) {
    if (wrap(skb, packet, self, care_of, how)) return TC_ACT_SHOT;
    return sendToTunnelEnd(skb, self, care_of);
}

// Congestion marks of the path survive (RFC 6040): `inner` is what the packet carried inside.
static __always_inline int keepCongestionMark(struct __sk_buff* skb, const struct packet* inner,
                                              __u8 outer_traffic_class) {
    __u8 second;
    if ((outer_traffic_class & ECN_MASK) != ECN_CE) return 0;
    if ((inner->traffic_class & ECN_MASK) == ECN_NOT_ECT) return -1;
    if (bpf_skb_load_bytes(skb, ETH_HLEN + 1, &second, 1)) return -1;
    second |= ECN_CE << 4;
    return bpf_skb_store_bytes(skb, ETH_HLEN + 1, &second, 1, BPF_F_RECOMPUTE_CSUM) ? -1 : 0;
}

// Takes the outer headers off. `onward`: it goes into another tunnel at once, and skb->protocol stays that of the
// header, because makeRoom() cannot always change it.
static __always_inline int decapsulate(struct __sk_buff* skb, const struct packet* inner, const struct outer* outer,
                                       int onward) {
    __s32 length = outer->length;
    if (outer->ipv4 && !onward) {
        // Of all that Linux 6.1 has, only this changes skb->protocol. It makes the header longer on its way.
        if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0) || setEtherType(skb, ETH_P_IPV6)) return -1;
        length += sizeof(struct ipv6hdr) - sizeof(struct iphdr);
    }
    if (bpf_skb_adjust_room(skb, -length, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO)) return -1;
    if (keepCongestionMark(skb, inner, outer->traffic_class)) return -1;
    add(HS_DECAPSULATED_PACKETS, 1);
    add(HS_DECAPSULATED_BYTES, skb->len - ETH_HLEN);
    return 0;
}
