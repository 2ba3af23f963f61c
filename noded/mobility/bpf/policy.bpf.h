// What may enter a sliver.
#pragma once

#include "noded/mobility/bpf/packet.bpf.h"

static __always_inline int isExposed(__u32 link, __u8 protocol, __be16 port) {
    const struct hs_exposed key = {.port_link = link, .port = port, .protocol = protocol};
    return bpf_map_lookup_elem(&exposed, &key) != 0;
}

// Remembers the UDP flows that a sliver began, so that answers get in. Those from an exposed port need no memory.
static __always_inline void rememberUdp(__u32 link, const struct packet* packet) {
    const __u8 seen = 1;
    if (packet->protocol != IPPROTO_UDP || packet->later_fragment || sameSlice(packet)) return;
    if (isExposed(link, IPPROTO_UDP, packet->source_port)) return;
    struct hs_flow answer = {.source = packet->destination,
                             .destination = packet->source,
                             .source_port = packet->destination_port,
                             .destination_port = packet->source_port,
                             .protocol = IPPROTO_UDP};
    if (!bpf_map_lookup_elem(&begun_flows, &answer)) bpf_map_update_elem(&begun_flows, &answer, &seen, BPF_ANY);
}

// A slice is open to itself. From outside: new TCP connections and UDP to exposed ports only, answers always. Later
// fragments come in without a look: nothing is put together from them unless the first one came in too.
__noinline int mayEnter(__u32 link, const struct packet* packet) {
    if (!packet) return 0;
    if (sameSlice(packet) || packet->later_fragment) return 1;
    switch (packet->protocol) {
        case IPPROTO_ICMPV6:
            return 1;
        case IPPROTO_TCP:
            return (packet->tcp_flags & (TCP_FLAG_SYN_BIT | TCP_FLAG_ACK_BIT)) != TCP_FLAG_SYN_BIT ||
                   isExposed(link, IPPROTO_TCP, packet->destination_port);
        case IPPROTO_UDP: {
            if (isExposed(link, IPPROTO_UDP, packet->destination_port)) return 1;
            struct hs_flow flow = {.source = packet->source,
                                   .destination = packet->destination,
                                   .source_port = packet->source_port,
                                   .destination_port = packet->destination_port,
                                   .protocol = IPPROTO_UDP};
            return bpf_map_lookup_elem(&begun_flows, &flow) != 0;
        }
        default:
            return 0;
    }
}
