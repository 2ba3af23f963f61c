// The programs at the four hooks. What each does is drawn in docs/design/data-plane.md.
#include <linux/if_packet.h>

#include "noded/mobility/bpf/audit.bpf.h"
#include "noded/mobility/bpf/deliver.bpf.h"
#include "noded/mobility/bpf/guard.bpf.h"
#include "noded/mobility/bpf/names.bpf.h"
#include "noded/mobility/bpf/outbound.bpf.h"
#include "noded/mobility/bpf/short_way.bpf.h"
#include "noded/mobility/bpf/stray.bpf.h"
#include "noded/mobility/bpf/tunnel_options.bpf.h"

// What uplink_ingress goes on with, beside TC_ACT_*.
enum {
    TUNNELLED = 1000,
    PLAIN_FOR_HOME,
};

static __always_inline struct hs_node* thisNode(void) {
    const __u32 index = 0;
    return bpf_map_lookup_elem(&node, &index);
}

static __always_inline int isHome(const struct hs_node* self, const struct hs_address* address) {
    if (!(self->flags & HS_NODE_HAS_PREFIX)) return 0;
    __u32 differs = 0;
#pragma unroll
    for (int i = 0; i < 4; i++)
        differs |= (address->words[i] ^ self->home_prefix.words[i]) & self->home_prefix_mask.words[i];
    return differs == 0;
}

// `before` as for packetLength().
static __always_inline int isTooBig(struct __sk_buff* skb, const struct packet* packet, __u32 mtu, __u32 before) {
    if (packetLength(skb, packet, before) <= mtu) return 0;
    add(HS_PACKET_TOO_BIG, 1);
    return 1;
}

// Out of the tunnel, for the kernel to route or to answer.
static __always_inline int leaveToKernel(struct __sk_buff* skb, const struct packet* packet,
                                         const struct outer* outer) {
    return decapsulate(skb, packet, outer, 0) ? drop(HS_DROPPED_MALFORMED) : TC_ACT_OK;
}

static __always_inline int refuseTunnelled(struct __sk_buff* skb, const struct packet* packet,
                                           const struct outer* outer, __u32 mtu) {
    if (leaveToKernel(skb, packet, outer) != TC_ACT_OK) return TC_ACT_SHOT;
    return letKernelRefuse(skb, mtu);
}

// A packet that came by tunnel for a sliver that is not here: its sender sent it too late, or knows too little.
static __always_inline int relay(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self,
                                 const struct outer* outer) {
    struct hs_address care_of;
    const int home_agent = self->flags & HS_NODE_HOME_AGENT;
    if (!home_agent) reportStray(&outer->source, packet);
    if (!home_agent && outer->relayed) return drop(HS_DROPPED_NO_SLIVER);
    struct bound bound = {};
    const int is_bound = chooseCareOf(packet, &care_of, &bound);
    if (home_agent && !is_bound) return leaveToKernel(skb, packet, outer);  // a rule of the packet filter answers
    const int direct = is_bound && !sameAddress(&care_of, &outer->source) && !sameAddress(&care_of, &self->care_of);
    if (!direct) {
        if (home_agent || !(self->flags & HS_NODE_HAS_HOME_AGENT)) return drop(HS_DROPPED_NO_SLIVER);
        care_of = self->home_agent;
    }
    const __u32 mtu = tunnelMtu(self, &care_of);
    if (isTooBig(skb, packet, mtu, outer->length)) return refuseTunnelled(skb, packet, outer, mtu);
    if (decapsulate(skb, packet, outer, 1)) return drop(HS_DROPPED_MALFORMED);
    setHopLimit(skb, packet->hop_limit - 1);
    const __u32 relayed = !home_agent || outer->relayed ? TUNNEL_RELAYED : 0;
    const __u32 how = relayed | (outer->udp ? TUNNEL_UDP : 0);
    if (direct) return encapsulateToBinding(skb, packet, self, &bound, &care_of, how);
    return encapsulate(skb, packet, self, &care_of, how);
}

// A home agent knows which node a sliver's packets come from. Those that are sent on after a sliver come from others.
static __always_inline int isForgedInside(const struct packet* packet, const struct hs_node* self,
                                          const struct outer* outer) {
    if (!(self->flags & HS_NODE_HOME_AGENT) || outer->relayed || !isHome(self, &packet->source)) return 0;
    return placeOf(&packet->source, &outer->source) == PLACE_ELSEWHERE;
}

// The reverse tunnel (RFC 6275 10.4.5): only for home addresses that are bound where the packet comes from.
static __always_inline int isReverseTunnelled(const struct packet* packet, const struct hs_node* self,
                                              const struct outer* outer) {
    return (self->flags & HS_NODE_HOME_AGENT) && isHome(self, &packet->source) && !isLinkScope(packet) &&
           placeOf(&packet->source, &outer->source) == PLACE_THERE;
}

static __always_inline int receiveTunnelled(struct __sk_buff* skb, const struct hs_node* self,
                                            const struct outer* outer, struct packet* packet) {
    const struct hs_address sender = outer->source;
    const __u64 generation_now = generationNow();
    const int malformed = readPacket(skb, ETH_HLEN + outer->length, packet);
    const struct hs_arrival* const known = malformed ? 0 : findArrival(&sender, packet, generation_now);
    if (known && packet->hop_limit > 1) return arrive(skb, packet, outer, known);
    if (!bpf_map_lookup_elem(&trusted_peers, &sender)) return drop(HS_DROPPED_UNTRUSTED_TUNNEL);
    if (malformed) return drop(HS_DROPPED_MALFORMED);
    if (isForgedInside(packet, self, outer)) return drop(HS_DROPPED_SPOOFED_SOURCE);

    const struct hs_local* const local = bpf_map_lookup_elem(&local_slivers, &packet->destination);
    const __u32 link = linkOf(local, packet);
    if (!link && !isHome(self, &packet->destination)) {
        if (isReverseTunnelled(packet, self, outer)) return leaveToKernel(skb, packet, outer);
        return drop(HS_DROPPED_NO_SLIVER);
    }
    if (packet->hop_limit <= 1) return refuseTunnelled(skb, packet, outer, self->sliver_mtu);
    if (!link) return relay(skb, packet, self, outer);
    if (local && !local->shared) keepArrival(&sender, packet, link, generation_now);
    if (decapsulate(skb, packet, outer, 0)) return drop(HS_DROPPED_MALFORMED);
    return deliver(skb, packet, link);
}

// A plain packet for a home address at the home agent, which has no slivers itself.
static __always_inline int forwardHome(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self) {
    struct hs_address care_of;
    struct bound bound = {};
    if (!chooseCareOf(packet, &care_of, &bound)) return TC_ACT_OK;  // the packet filter answers (steering.cpp)
    const __u32 mtu = tunnelMtu(self, &care_of);
    if (packet->hop_limit <= 1 || isTooBig(skb, packet, mtu, 0)) return letKernelRefuse(skb, mtu);
    setHopLimit(skb, packet->hop_limit - 1);
    return encapsulateToBinding(skb, packet, self, &bound, &care_of, 0);
}

// Nobody of ours sends options, nor lets others fragment.
static __always_inline int isPlainIpv4(const struct iphdr* header) {
    return header->ihl * 4 == sizeof(*header) && !(header->frag_off & bpf_htons(IPV4_MORE_OR_OFFSET));
}

static __always_inline struct outer outerIpv4(const struct iphdr* header) {
    const struct outer outer = {.source = mappedAddress(header->saddr),
                                .length = sizeof(*header),
                                .ipv4 = 1,
                                .traffic_class = header->tos,
                                .relayed = (header->id & bpf_htons(HS_IDENTIFICATION_RELAYED)) != 0};
    return outer;
}

// What begins like an IPv6 packet on the tunnels' port is one, the rest is noded's (keepalives).
static __always_inline int readOuterUdp(struct __sk_buff* skb, const struct iphdr* header, struct outer* outer) {
    struct {
        struct udphdr udp;
        __u8 first;
    } __attribute__((packed)) start;
    if (!isPlainIpv4(header)) return TC_ACT_OK;
    if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(*header), &start, sizeof(start))) return TC_ACT_OK;
    if (start.udp.dest != bpf_htons(HS_UDP_TUNNEL_PORT) || start.first >> 4 != 6) return TC_ACT_OK;
    *outer = outerIpv4(header);
    outer->source = udpPeer(header->saddr, start.udp.source);
    outer->length += sizeof(start.udp);
    outer->udp = 1;
    return TUNNELLED;
}

// Over IPv4: a tunnel's packet for this node, or what a router says of one; all else is the kernel's.
static __always_inline int readOuterIpv4(struct __sk_buff* skb, struct hs_node* self, struct outer* outer) {
    struct iphdr header;
    if (!isIpv4(&self->care_of) || bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header))) return TC_ACT_OK;
    if (header.daddr != self->care_of.words[3]) return TC_ACT_OK;
    if (header.protocol == IPPROTO_ICMP) learnPathMtuIpv4(skb, self, ETH_HLEN + header.ihl * 4);
    if (header.protocol == IPPROTO_UDP) return readOuterUdp(skb, &header, outer);
    if (header.protocol != IPPROTO_IPV6) return TC_ACT_OK;
    if (!isPlainIpv4(&header)) return drop(HS_DROPPED_MALFORMED);
    *outer = outerIpv4(&header);
    return TUNNELLED;
}

static __always_inline struct outer outerIpv6(const struct ipv6hdr* header, __u32 options_length) {
    struct outer outer = {.length = sizeof(*header) + options_length,
                          .traffic_class = trafficClass(header),
                          .relayed = (header->flow_lbl[0] & (HS_FLOW_LABEL_RELAYED >> 16)) != 0};
    __builtin_memcpy(&outer.source, &header->saddr, sizeof(outer.source));
    return outer;
}

static __always_inline int readOuterIpv6(struct __sk_buff* skb, struct hs_node* self, struct outer* outer) {
    struct ipv6hdr header;
    if (load(skb, ETH_HLEN, &header, sizeof(header))) return TC_ACT_OK;
    if (!isIpv4(&self->care_of) && sameAddress((const struct hs_address*)&header.daddr, &self->care_of)) {
        const int options_length = header.nexthdr == HEADER_DESTINATION ? tunnelOptionsLength(skb) : 0;
        if (options_length < 0) return drop(HS_DROPPED_MALFORMED);
        if (header.nexthdr == IPPROTO_IPV6 || options_length > 0) {
            *outer = outerIpv6(&header, options_length);
            return TUNNELLED;
        }
        if (header.nexthdr == IPPROTO_ICMPV6) learnPathMtu(skb, self);
    }
    if (!isHome(self, (const struct hs_address*)&header.daddr)) return TC_ACT_OK;
    // Slivers reach each other by tunnel, so a plain packet between home addresses was forged.
    if (isHome(self, (const struct hs_address*)&header.saddr)) return drop(HS_DROPPED_SPOOFED_SOURCE);
    return (self->flags & HS_NODE_HOME_AGENT) ? PLAIN_FOR_HOME : TC_ACT_OK;
}

SEC("tc")
int uplink_ingress(struct __sk_buff* skb) {
    struct hs_node* self = thisNode();
    struct outer outer;
    struct packet packet;
    // A frame for another host, flooded by a switch or seen in promiscuous mode: that host forwards it.
    if (!self || skb->pkt_type != PACKET_HOST) return TC_ACT_OK;
    int found = TC_ACT_OK;
    if (skb->protocol == bpf_htons(ETH_P_IP)) found = readOuterIpv4(skb, self, &outer);
    if (skb->protocol == bpf_htons(ETH_P_IPV6)) found = readOuterIpv6(skb, self, &outer);
    if (found == TUNNELLED) return receiveTunnelled(skb, self, &outer, &packet);
    if (found != PLAIN_FOR_HOME) return found;
    if (readPacket(skb, ETH_HLEN, &packet)) return drop(HS_DROPPED_MALFORMED);
    return forwardHome(skb, &packet, self);
}

// What the node itself sends to home addresses, ICMPv6 errors among it. A routing rule leads it here (steering.cpp).
SEC("tc")
int uplink_egress(struct __sk_buff* skb) {
    const struct hs_node* self = thisNode();
    struct hs_address care_of;
    struct packet packet;
    struct ipv6hdr header;
    if (!self || skb->protocol != bpf_htons(ETH_P_IPV6)) return TC_ACT_OK;
    if (load(skb, ETH_HLEN, &header, sizeof(header))) return TC_ACT_OK;
    if (!isHome(self, (const struct hs_address*)&header.daddr)) return TC_ACT_OK;
    if (readPacket(skb, ETH_HLEN, &packet)) return drop(HS_DROPPED_MALFORMED);

    const __u32 link = chooseLocal(&packet);
    if (link) {
        const struct hs_port* port = bpf_map_lookup_elem(&ports, &link);
        if (!port || storeLinkAddresses(skb, &port->link_addresses)) return drop(HS_DROPPED_NO_SLIVER);
        return bpf_redirect(link, 0);  // port_egress looks at it
    }
    if (isTooBig(skb, &packet, self->sliver_mtu, 0)) return TC_ACT_SHOT;
    struct bound bound = {};
    if (chooseCareOf(&packet, &care_of, &bound) && !sameAddress(&care_of, &self->care_of))
        return encapsulateToBinding(skb, &packet, self, &bound, &care_of, 0);
    if (self->flags & HS_NODE_HAS_HOME_AGENT) return encapsulate(skb, &packet, self, &self->home_agent, 0);
    return drop(HS_DROPPED_NO_SLIVER);
}

static __always_inline int hasOwnSource(const struct hs_port* port, const struct packet* packet) {
    return sameAddress(&packet->source, &port->home_address) || sameAddress(&packet->source, &port->slice_address);
}

// Neighbour discovery with the gateway, for slivers without a permanent entry. Each source leaves an entry in the
// node's neighbour table, which has room for a thousand or so: only a sliver's own may.
static __always_inline int isGatewayDiscovery(const struct hs_port* port, const struct packet* packet) {
    return hasOwnSource(port, packet) && packet->protocol == IPPROTO_ICMPV6 && packet->hop_limit == 255 &&
           (packet->icmp_type == ICMPV6_NEIGHBOUR_SOLICITATION ||
            packet->icmp_type == ICMPV6_NEIGHBOUR_ADVERTISEMENT) &&
           (isLinkLocal(&packet->destination) || isMulticast(&packet->destination));
}

static __always_inline int isOwnSource(const struct hs_port* port, const struct ethhdr* ethernet,
                                       const struct packet* packet) {
    return isOwnMac(port, ethernet) && hasOwnSource(port, packet);
}

// What is shared is chosen for each flow, and some of what is for the resolver never gets here.
static __always_inline int hangsOnAddresses(const struct hs_node* self, const struct packet* packet,
                                            const struct hs_local* local, const struct hs_binding* binding) {
    return !local && !(binding && binding->shared) && !isResolver(self, &packet->destination);
}

static __always_inline int sendHome(struct __sk_buff* skb, const struct packet* packet, const struct hs_node* self,
                                    const struct hs_port* port, __u64 generation_now) {
    struct hs_address care_of;
    if (packet->hop_limit <= 1) return letKernelRefuse(skb, self->sliver_mtu);
    const struct hs_local* const local = bpf_map_lookup_elem(&local_slivers, &packet->destination);
    const __u32 link = linkOf(local, packet);
    if (link) {
        add(HS_LOCAL_PACKETS, 1);
        return deliver(skb, packet, link);
    }
    struct hs_binding* const binding = bpf_map_lookup_elem(&bindings, &packet->destination);
    const int bound = careOfIn(binding, packet, &care_of) && !sameAddress(&care_of, &self->care_of);
    if (!bound && !(self->flags & HS_NODE_HAS_HOME_AGENT)) return TC_ACT_OK;
    if (!bound) care_of = self->home_agent;
    const __u32 mtu = tunnelMtu(self, &care_of);
    if (isTooBig(skb, packet, mtu, 0)) return letKernelRefuse(skb, mtu);
    if (hangsOnAddresses(self, packet, local, binding))
        keepPath(skb->ifindex, port, packet, &care_of, mtu, generation_now);
    setHopLimit(skb, packet->hop_limit - 1);
    return encapsulate(skb, packet, self, &care_of, 0);
}

// To other than home addresses, where networks drop what has them as source: the home agent sends it on. What is for
// this node itself stays here.
static __always_inline int sendByHomeAgent(struct __sk_buff* skb, const struct packet* packet,
                                           const struct hs_node* self) {
    if (sameAddress(&packet->destination, &self->care_of)) return TC_ACT_OK;
    if (!(self->flags & HS_NODE_HAS_HOME_AGENT)) return drop(HS_DROPPED_NO_SLIVER);
    const __u32 mtu = tunnelMtu(self, &self->home_agent);
    if (packet->hop_limit <= 1 || isTooBig(skb, packet, mtu, 0)) return letKernelRefuse(skb, mtu);
    setHopLimit(skb, packet->hop_limit - 1);
    return encapsulate(skb, packet, self, &self->home_agent, 0);
}

// As other packets of the sliver to this address went just now.
static __always_inline int sendAlong(struct __sk_buff* skb, const struct hs_node* self, const struct hs_path* path,
                                     const struct packet* packet) {
    rememberUdp(path->link, packet);
    auditPacket(skb, path->link, packet);
    if (packet->hop_limit <= 1) return letKernelRefuse(skb, self->sliver_mtu);
    if (isTooBig(skb, packet, path->mtu, 0)) return letKernelRefuse(skb, path->mtu);
    return encapsulateAlong(skb, packet, self, path);
}

// What a sliver sends.
SEC("tc")
int port_ingress(struct __sk_buff* skb) {
    const __u32 link = skb->ifindex;
    const struct hs_node* self = thisNode();
    const __u64 generation_now = generationNow();
    struct ethhdr ethernet FOR_LOADING;
    struct packet packet;
    int malformed = 1;
    if (!self) return TC_ACT_SHOT;
    if (skb->protocol == bpf_htons(ETH_P_IPV6))
        malformed = load(skb, 0, &ethernet, sizeof(ethernet)) || readPacket(skb, ETH_HLEN, &packet);
    if (!malformed && hasLinearHeader(skb)) {
        const struct hs_path* const path = findPath(link, &ethernet, &packet, generation_now);
        if (path) return sendAlong(skb, self, path, &packet);
    }

    const struct hs_port* port = bpf_map_lookup_elem(&ports, &link);
    if (!port) return TC_ACT_SHOT;
    if (skb->protocol == bpf_htons(ETH_P_IP)) return sendIpv4(skb, self, port, &packet);
    if (skb->protocol != bpf_htons(ETH_P_IPV6)) return TC_ACT_SHOT;
    if (malformed) return drop(HS_DROPPED_MALFORMED);
    if (isGatewayDiscovery(port, &packet)) return TC_ACT_OK;
    if (isLinkScope(&packet)) return TC_ACT_SHOT;
    if (!isOwnSource(port, &ethernet, &packet)) return drop(HS_DROPPED_SPOOFED_SOURCE);

    rememberUdp(link, &packet);
    if (isForResolver(self, &packet)) return TC_ACT_OK;
    const int home = isHome(self, &packet.destination);
    if (!home && opensFlow(link, &packet) && isGuarded(skb, self, &packet)) return drop(HS_DROPPED_NOT_EXPOSED);
    auditPacket(skb, link, &packet);
    if (home) return sendHome(skb, &packet, self, port, generation_now);
    if (translatesIpv6(self) && isOutbound(link, &packet)) return translate(skb);
    if (self->flags & HS_NODE_REVERSE_TUNNEL) return sendByHomeAgent(skb, &packet, self);
    return TC_ACT_OK;
}

// What the kernel or uplink_egress sends to a sliver.
SEC("tc")
int port_egress(struct __sk_buff* skb) {
    struct packet packet;
    if (skb->protocol == bpf_htons(ETH_P_IP)) return receiveTranslated(skb);
    if (skb->protocol != bpf_htons(ETH_P_IPV6)) return TC_ACT_SHOT;
    if (readPacket(skb, ETH_HLEN, &packet)) return drop(HS_DROPPED_MALFORMED);
    if (!mayEnter(skb->ifindex, &packet)) return drop(HS_DROPPED_NOT_EXPOSED);
    return TC_ACT_OK;
}

char program_license[] SEC("license") = "GPL";
