// The MTU of the paths to other nodes (RFC 2473 7.1, RFC 4213 3.2.2, RFC 8201): a router's word that a tunnelled packet
// was too big lowers what goes into that tunnel, and the next packet that is too big for it is answered in turn.
#pragma once

#include <linux/icmpv6.h>
#include <linux/ip.h>

#include "noded/mobility/bpf/mtu.h"
#include "noded/mobility/bpf/nat.bpf.h"
#include "noded/mobility/bpf/packet.bpf.h"
#include "noded/mobility/bpf/paths.bpf.h"

// Of RFC 792 and RFC 1191; linux/icmp.h wants more than there is without a C library.
enum {
    ICMP_UNREACHABLE = 3,
    ICMP_FRAGMENTATION_NEEDED = 4,
};

struct fragmentation_needed {
    __u8 type;
    __u8 code;
    __be16 checksum;
    __be16 unused;
    __be16 mtu;
};

#define PATH_MTU_LIFETIME_NS (600ULL * 1000 * 1000 * 1000)  // then a larger one is tried (RFC 8201 4)

// Of the largest packet that can be sent inside the tunnel to `care_of`.
static __always_inline __u32 tunnelMtu(const struct hs_node* self, const struct hs_address* care_of) {
    if (!self->narrow) return self->sliver_mtu;
    const struct hs_address key = tunnelEnd(self, care_of);
    const struct hs_path_mtu* path = bpf_map_lookup_elem(&path_mtus, &key);
    if (!path || bpf_ktime_get_ns() - path->learned_ns > PATH_MTU_LIFETIME_NS) return self->sliver_mtu;
    return namedMtu(path->mtu - self->overhead, self->sliver_mtu);
}

static __always_inline void setPathMtu(struct hs_node* self, const struct hs_address* peer, __u32 mtu) {
    const __u32 least = HS_LEAST_MTU + self->overhead;
    const struct hs_address key = *peer;
    const struct hs_path_mtu path = {.learned_ns = bpf_ktime_get_ns(), .mtu = mtu < least ? least : mtu};
    if (mtu >= self->sliver_mtu + self->overhead || !bpf_map_lookup_elem(&trusted_peers, &key)) return;
    bpf_map_update_elem(&path_mtus, &key, &path, BPF_ANY);
    self->narrow = 1;
    forgetPaths();
    add(HS_PATH_MTU_CHANGES, 1);
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
    setPathMtu(self, &peer, bpf_ntohl(message.icmp6_mtu));
}

// The same in IPv4: fragmentation needed (RFC 1191). `offset` is that of the ICMP message.
static __always_inline void learnPathMtuIpv4(struct __sk_buff* skb, struct hs_node* self, __u32 offset) {
    struct fragmentation_needed message;
    struct iphdr quoted;
    if (bpf_skb_load_bytes(skb, offset, &message, sizeof(message))) return;
    if (message.type != ICMP_UNREACHABLE || message.code != ICMP_FRAGMENTATION_NEEDED) return;
    if (bpf_skb_load_bytes(skb, offset + sizeof(message), &quoted, sizeof(quoted))) return;
    if (quoted.version != 4 || quoted.saddr != self->care_of.words[3]) return;
    struct hs_address peer = mappedAddress(quoted.daddr);
    if (quoted.protocol == IPPROTO_UDP) {
        __be16 ports[2];
        if (bpf_skb_load_bytes(skb, offset + sizeof(message) + sizeof(quoted), ports, sizeof(ports))) return;
        if (ports[0] != bpf_htons(HS_UDP_TUNNEL_PORT)) return;
        peer = udpPeer(quoted.daddr, ports[1]);
    } else if (quoted.protocol != IPPROTO_IPV6) {
        return;
    }
    setPathMtu(self, &peer, bpf_ntohs(message.mtu));
}
