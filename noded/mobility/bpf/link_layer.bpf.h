// The Ethernet header of a packet that goes on.
#pragma once

#include <linux/if_ether.h>

#include "noded/mobility/bpf/maps.bpf.h"

static __always_inline long storeLinkAddresses(struct __sk_buff* skb, const struct hs_link_addresses* addresses) {
    return bpf_skb_store_bytes(skb, 0, addresses, sizeof(*addresses), 0);
}

// The same without a helper. A program that does so has its packets made writable before it sees them, which is dear
// where most only pass: not at the uplink's egress.
static __always_inline long writeLinkAddresses(struct __sk_buff* skb, const struct hs_link_addresses* addresses) {
    void* const data = (void*)(long)skb->data;
    if (data + sizeof(*addresses) > (void*)(long)skb->data_end) return -1;
    __builtin_memcpy(__builtin_assume_aligned(data, 2), __builtin_assume_aligned(addresses, 2), sizeof(*addresses));
    return 0;
}
