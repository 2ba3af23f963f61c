// Into the tunnel and out of it (RFC 2473), and the hand-over to the kernel.
#pragma once

#include <linux/pkt_cls.h>

#include "noded/mobility/bpf/packet.bpf.h"
#include "noded/mobility/bpf/path_mtu.bpf.h"

enum {
    ECN_MASK = 0x03,
    ECN_NOT_ECT = 0x00,
    ECN_CE = 0x03,
    MINUS_EALREADY = -114,
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

// Length of the largest IPv6 packet that leaves for this socket buffer once segmented.
static __always_inline __u32 packetLength(struct __sk_buff* skb, const struct packet* packet) {
    return skb->gso_size == 0 ? skb->len - ETH_HLEN : skb->gso_size + packet->header_length;
}

// Puts an IPv6 header before the packet and sends it to `care_of`. Packets that are left with skb->encapsulation from
// an earlier tunnel refuse the ENCAP flags; their inner offsets are still right.
__noinline int encapsulate(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self,
                           const struct hs_address* care_of, __u32 relayed) {
    if (!packet || !self || !care_of) return TC_ACT_SHOT;
    const __u32 length = skb->len - ETH_HLEN;
    const __u32 label = (hashFlow(&packet->flow) & HS_FLOW_LABEL_SPREAD) | (relayed ? HS_FLOW_LABEL_RELAYED : 0);
    long error = bpf_skb_adjust_room(skb, HS_TUNNEL_OVERHEAD, BPF_ADJ_ROOM_MAC,
                                     BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 | BPF_F_ADJ_ROOM_FIXED_GSO);
    if (error == MINUS_EALREADY)
        error = bpf_skb_adjust_room(skb, HS_TUNNEL_OVERHEAD, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
    if (error) return drop(HS_DROPPED_MALFORMED);

    struct ipv6hdr outer = {};
    const __be32 first = bpf_htonl(6u << 28 | (__u32)packet->traffic_class << 20 | label);
    __builtin_memcpy(&outer, &first, sizeof(first));
    outer.payload_len = bpf_htons(length > 0xffff ? 0xffff : length);  // beyond: segmented before it leaves
    outer.nexthdr = IPPROTO_IPV6;
    outer.hop_limit = HS_TUNNEL_HOP_LIMIT;
    __builtin_memcpy(&outer.saddr, &self->care_of, sizeof(outer.saddr));
    __builtin_memcpy(&outer.daddr, care_of, sizeof(outer.daddr));
    if (bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), BPF_F_RECOMPUTE_CSUM))
        return drop(HS_DROPPED_MALFORMED);

    add(HS_ENCAPSULATED_PACKETS, 1);
    add(HS_ENCAPSULATED_BYTES, length);
    return bpf_redirect_neigh(self->uplink, 0, 0, 0);
}

// Takes the outer header off. Congestion marks of the path survive (RFC 6040): `inner` is what the packet carried
// inside.
static __always_inline int decapsulate(struct __sk_buff* skb, const struct packet* inner, __u8 outer_traffic_class) {
    if (bpf_skb_adjust_room(skb, -HS_TUNNEL_OVERHEAD, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO)) return -1;
    if ((outer_traffic_class & ECN_MASK) == ECN_CE) {
        if ((inner->traffic_class & ECN_MASK) == ECN_NOT_ECT) return -1;
        __u8 second;
        if (bpf_skb_load_bytes(skb, ETH_HLEN + 1, &second, 1)) return -1;
        second |= ECN_CE << 4;
        bpf_skb_store_bytes(skb, ETH_HLEN + 1, &second, 1, BPF_F_RECOMPUTE_CSUM);
    }
    add(HS_DECAPSULATED_PACKETS, 1);
    add(HS_DECAPSULATED_BYTES, skb->len - ETH_HLEN);
    return 0;
}
