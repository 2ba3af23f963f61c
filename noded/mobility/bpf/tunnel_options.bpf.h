// The destination options that others put between the tunnel's header and the packet inside (RFC 2473 5.1). In practice
// it is one: the tunnel encapsulation limit (4.1.1), which Linux's ip6tnl sends unless told not to. It says through how
// many more tunnels, one inside the other, the packet may go, and concerns those that put the whole of it into another
// one. Here the tunnel ends and the limit with it, also of what is sent on in the next tunnel: that one follows, it is
// not inside. Ours carry no limit: the way to a care-of address leads through no home prefix, so tunnels of ours never
// lie in each other, and what circles from one into the next runs out of hops. A limit in a packet that a sliver or a
// client tunnelled itself is left as it is.
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ipv6.h>

#include <bpf/bpf_helpers.h>

enum {
    OPTION_PAD1 = 0,
    OPTION_NOT_TO_SKIP = 0xc0,  // bits of the type: who does not know it does not skip it (RFC 8200 4.2)
    MOST_TUNNEL_OPTIONS = 8,    // as hosts take at least (RFC 8504 5.3); here padding counts
};

// The length of the destination options header behind the IPv6 header, if a packet by tunnel follows it; 0 when
// something else does. Negative when no node would go on: an option cut short, or not to be skipped.
__noinline int tunnelOptionsLength(struct __sk_buff* skb) {
    const __u32 start = ETH_HLEN + sizeof(struct ipv6hdr);
    __u8 two[2];  // next header, length; an option's type, length
    if (bpf_skb_load_bytes(skb, start, two, sizeof(two)) || two[0] != IPPROTO_IPV6) return 0;
    const __u32 length = (two[1] + 1) * 8;
    __u32 at = sizeof(two);
    for (int i = 0; i < MOST_TUNNEL_OPTIONS && at < length; i++) {
        if (bpf_skb_load_bytes(skb, start + at, two, sizeof(two)) || (two[0] & OPTION_NOT_TO_SKIP)) return -1;
        at += two[0] == OPTION_PAD1 ? 1 : sizeof(two) + two[1];
    }
    return at == length ? (int)length : -1;
}
