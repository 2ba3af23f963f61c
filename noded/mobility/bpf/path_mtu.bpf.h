// The MTU of the paths to other nodes (RFC 2473 7.1, RFC 8201): a router's Packet Too Big about a tunnelled packet
// lowers what goes into that tunnel, and the next packet that is too big for it is answered in turn.
#pragma once

#include <linux/icmpv6.h>

#include "noded/mobility/bpf/mtu.h"
#include "noded/mobility/bpf/packet.bpf.h"

#define PATH_MTU_LIFETIME_NS (600ULL * 1000 * 1000 * 1000)  // then a larger one is tried (RFC 8201 4)

// Of the largest packet that can be sent inside the tunnel to `care_of`.
static __always_inline __u32 tunnelMtu(const struct hs_node* self, const struct hs_address* care_of) {
    if (!self->narrow) return self->sliver_mtu;
    const struct hs_address key = *care_of;
    const struct hs_path_mtu* path = bpf_map_lookup_elem(&path_mtus, &key);
    if (!path || bpf_ktime_get_ns() - path->learned_ns > PATH_MTU_LIFETIME_NS) return self->sliver_mtu;
    return namedMtu(path->mtu - HS_TUNNEL_OVERHEAD, self->sliver_mtu);
}

// The ICMPv6 message behind the IPv6 header of a packet for this node. It counts if it quotes a packet that this node
// could have sent: from itself, by tunnel, to a node of ours.
static __always_inline void learnPathMtu(struct __sk_buff* skb, struct hs_node* self) {
    struct icmp6hdr message;
    struct ipv6hdr quoted;
    struct hs_address peer;
    const __u32 offset = ETH_HLEN + sizeof(struct ipv6hdr);
    if (bpf_skb_load_bytes(skb, offset, &message, sizeof(message)) || message.icmp6_type != ICMPV6_PKT_TOOBIG) return;
    if (bpf_skb_load_bytes(skb, offset + sizeof(message), &quoted, sizeof(quoted))) return;
    if (quoted.version != 6 || quoted.nexthdr != IPPROTO_IPV6) return;
    if (!sameAddress((const struct hs_address*)&quoted.saddr, &self->care_of)) return;
    __builtin_memcpy(&peer, &quoted.daddr, sizeof(peer));
    if (!bpf_map_lookup_elem(&trusted_peers, &peer)) return;

    const __u32 least = HS_LEAST_MTU + HS_TUNNEL_OVERHEAD;
    struct hs_path_mtu path = {.learned_ns = bpf_ktime_get_ns(), .mtu = bpf_ntohl(message.icmp6_mtu)};
    if (path.mtu >= self->sliver_mtu + HS_TUNNEL_OVERHEAD) return;
    if (path.mtu < least) path.mtu = least;
    bpf_map_update_elem(&path_mtus, &peer, &path, BPF_ANY);
    self->narrow = 1;
    add(HS_PATH_MTU_CHANGES, 1);
}
