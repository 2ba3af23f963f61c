// Out of the uplink. The kernel's route lookup takes as long as all our own ones together, so that its answer is kept
// for a moment: long enough to be found once for many packets, and too short for a changed route to be missed.
#pragma once

#include "noded/mobility/bpf/link_layer.bpf.h"
#include "noded/mobility/bpf/packet.bpf.h"

enum {
    ADDRESS_FAMILY_INET6 = 10,
};

#define NEXT_HOP_LIFETIME_NS (50ULL * 1000 * 1000)

struct hs_next_hop {
    struct hs_address address;
    __u64 until_ns;  // monotonic
    struct hs_link_addresses link_addresses;
    __u16 reachable;  // link_addresses are known
    __u16 reserved;
};

// By the tunnel's end.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HS_NEXT_HOPS);
    __type(key, struct hs_address);
    __type(value, struct hs_next_hop);
} next_hops SEC(".maps");

// Without the packet's flow label, so that of several routers on the way to `end` it is always the same. False when the
// way is none through the uplink.
static __always_inline int findNextHop(struct __sk_buff* skb, const struct hs_node* self, const struct hs_address* end,
                                       struct hs_next_hop* hop) {
    struct bpf_fib_lookup fib = {.family = ADDRESS_FAMILY_INET6, .ifindex = self->uplink};
    __builtin_memcpy(fib.ipv6_src, &self->care_of, sizeof(fib.ipv6_src));
    __builtin_memcpy(fib.ipv6_dst, end, sizeof(fib.ipv6_dst));
    const long result = bpf_fib_lookup(skb, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT);
    if (result != BPF_FIB_LKUP_RET_SUCCESS && result != BPF_FIB_LKUP_RET_NO_NEIGH) return 0;
    if (fib.ifindex != self->uplink) return 0;
    __builtin_memcpy(&hop->address, fib.ipv6_dst, sizeof(hop->address));
    hop->reachable = result == BPF_FIB_LKUP_RET_SUCCESS;
    __builtin_memcpy(hop->link_addresses.destination, fib.dmac, sizeof(fib.dmac));
    __builtin_memcpy(hop->link_addresses.source, fib.smac, sizeof(fib.smac));
    return 1;
}

// To a hop that was found before.
static __always_inline int sendTo(struct __sk_buff* skb, const struct hs_node* self, const struct hs_next_hop* hop) {
    if (hop->reachable && !storeLinkAddresses(skb, &hop->link_addresses)) return bpf_redirect(self->uplink, 0);
    struct bpf_redir_neigh neighbour = {.nh_family = ADDRESS_FAMILY_INET6};
    __builtin_memcpy(neighbour.ipv6_nh, &hop->address, sizeof(neighbour.ipv6_nh));
    return bpf_redirect_neigh(self->uplink, &neighbour, sizeof(neighbour), 0);
}

// The packet goes to `end`, which is an IPv6 address. The first one of each 50 ms goes by the kernel's own way: so the
// neighbour is used in its eyes, and probed when it has not been heard of (RFC 4861 7.3).
static __always_inline int sendToNextHop(struct __sk_buff* skb, const struct hs_node* self,
                                         const struct hs_address* end) {
    const struct hs_address key = *end;
    const __u64 now = bpf_ktime_get_coarse_ns();
    const struct hs_next_hop* const known = bpf_map_lookup_elem(&next_hops, &key);
    if (known && known->until_ns >= now) return sendTo(skb, self, known);
    struct hs_next_hop found = {.until_ns = now + NEXT_HOP_LIFETIME_NS};
    if (findNextHop(skb, self, end, &found)) bpf_map_update_elem(&next_hops, &key, &found, BPF_ANY);
    return bpf_redirect_neigh(self->uplink, 0, 0, 0);
}
