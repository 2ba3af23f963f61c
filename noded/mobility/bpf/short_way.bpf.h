// What is left to do with a packet whose path is known (paths.bpf.h), in as few steps as can be: half of what all
// packets cost is here.
#pragma once

#include "noded/mobility/bpf/deliver.bpf.h"
#include "noded/mobility/bpf/paths.bpf.h"

// The next packet between these addresses has it easier, if the next hop is known by then.
static __always_inline void keepPath(__u32 link, const struct hs_port* port, const struct packet* packet,
                                     const struct hs_address* care_of, __u32 mtu, __u64 generation_now) {
    const struct hs_address end = *care_of;
    const struct hs_next_hop* const hop = bpf_map_lookup_elem(&next_hops, &end);
    if (!hop || !hop->reachable || packet->quotes) return;
    struct hs_path* const path = placeForPath(packet, generation_now);
    if (!path) return;
    path->source = packet->source;
    path->destination = packet->destination;
    path->link = link;
    path->mtu = mtu;
    path->generation = generation_now;
    path->until_ns = hop->until_ns;
    path->care_of = end;
    path->hash = hashAddresses(&packet->flow);
    path->link_addresses = hop->link_addresses;
    __builtin_memcpy(path->sliver_mac, port->link_addresses.destination, sizeof(path->sliver_mac));
}

// Both headers of the tunnelled packet lie in the linear part.
static __always_inline long writeHeaders(struct __sk_buff* skb, const struct hs_node* self, const struct hs_path* path,
                                         const struct packet* packet, __u32 length) {
    void* const data = (void*)(long)skb->data;
    __u32* const outer = __builtin_assume_aligned(data + ETH_HLEN, 4);
    struct ipv6hdr* const inner = data + ETH_HLEN + sizeof(struct ipv6hdr);
    if ((void*)(inner + 1) > (void*)(long)skb->data_end) return -1;
    const __u32 label = hashPorts(&packet->flow, path->hash) & HS_FLOW_LABEL_SPREAD;
    outer[0] = bpf_htonl(6u << 28 | (__u32)packet->traffic_class << 20 | label);
    outer[1] = bpf_htonl(cappedLength(length) << 16 | IPPROTO_IPV6 << 8 | HS_TUNNEL_HOP_LIMIT);
    __builtin_memcpy(&outer[2], &self->care_of, sizeof(self->care_of));
    __builtin_memcpy(&outer[6], &path->care_of, sizeof(path->care_of));
    inner->hop_limit = packet->hop_limit - 1;
    return writeLinkAddresses(skb, &path->link_addresses);
}

static __always_inline int hasLinearHeader(struct __sk_buff* skb) {
    return (void*)(long)skb->data + ETH_HLEN + sizeof(struct ipv6hdr) <= (void*)(long)skb->data_end;
}

static __always_inline int encapsulateAlong(struct __sk_buff* skb, const struct packet* packet,
                                            const struct hs_node* self, const struct hs_path* path) {
    const __u32 length = skb->len - ETH_HLEN;
    if (makeRoom(skb, sizeof(struct ipv6hdr), BPF_F_ADJ_ROOM_ENCAP_L3_IPV6) ||
        writeHeaders(skb, self, path, packet, length))
        return drop(HS_DROPPED_MALFORMED);
    countEncapsulated(length);
    return bpf_redirect(self->uplink, 0);
}

static __always_inline int arrive(struct __sk_buff* skb, const struct packet* packet, const struct outer* outer,
                                  const struct hs_arrival* arrival) {
    if (decapsulate(skb, packet, outer, 0)) return drop(HS_DROPPED_MALFORMED);
    return moveIn(skb, packet, arrival->link, arrival->flags, &arrival->link_addresses);
}
