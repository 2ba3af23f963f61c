// What a sliver may not begin: talk to the nodes' own services. Their API takes orders from whoever reaches it. Answers
// to what a node began, and ICMPv6, pass.
#pragma once

#include "noded/mobility/bpf/next_hop.bpf.h"
#include "noded/mobility/bpf/policy.bpf.h"

static __always_inline int opensFlow(__u32 link, const struct packet* packet) {
    if (packet->later_fragment) return 0;  // nothing without its first
    switch (packet->protocol) {
        case IPPROTO_ICMPV6:
            return 0;
        case IPPROTO_TCP:
            return (packet->tcp_flags & (TCP_FLAG_SYN_BIT | TCP_FLAG_ACK_BIT)) == TCP_FLAG_SYN_BIT;
        case IPPROTO_UDP:
            return !isExposed(link, IPPROTO_UDP, packet->source_port);
        default:
            return 1;
    }
}

// True as well for a destination without a route; then nobody listens.
static __always_inline int isLocal(struct __sk_buff* skb, const struct packet* packet) {
    struct bpf_fib_lookup fib = {.family = ADDRESS_FAMILY_INET6, .ifindex = skb->ifindex};
    __builtin_memcpy(fib.ipv6_src, &packet->source, sizeof(fib.ipv6_src));
    __builtin_memcpy(fib.ipv6_dst, &packet->destination, sizeof(fib.ipv6_dst));
    return bpf_fib_lookup(skb, &fib, sizeof(fib), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

// What nobody listens for is left to the kernel, which refuses it in words.
static __always_inline int hasListener(struct __sk_buff* skb, const struct packet* packet) {
    struct bpf_sock_tuple tuple = {.ipv6 = {.sport = packet->source_port, .dport = packet->destination_port}};
    __builtin_memcpy(tuple.ipv6.saddr, &packet->source, sizeof(tuple.ipv6.saddr));
    __builtin_memcpy(tuple.ipv6.daddr, &packet->destination, sizeof(tuple.ipv6.daddr));
    struct bpf_sock* socket = 0;
    if (packet->protocol == IPPROTO_TCP)
        socket = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
    else if (packet->protocol == IPPROTO_UDP)
        socket = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
    else
        return 1;
    if (!socket) return 0;
    bpf_sk_release(socket);
    return 1;
}

static __always_inline int isGuarded(struct __sk_buff* skb, const struct hs_node* self, const struct packet* packet) {
    const struct hs_address destination = packet->destination;
    return sameAddress(&destination, &self->care_of) || bpf_map_lookup_elem(&trusted_peers, &destination) ||
           bpf_map_lookup_elem(&guarded, &destination) || (isLocal(skb, packet) && hasListener(skb, packet));
}
