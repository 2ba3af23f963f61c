// IPv6 in UDP over IPv4, for nodes behind NATs (RFC 5555 5.2, with its port and words): only home agents reach them,
// and they reach home agents alone. Others send what is for them to the home agent, in UDP as well: a home agent cannot
// make a segmented packet's tunnel another one.
#pragma once

#include "noded/mobility/bpf/packet.bpf.h"

// Where a tunnel for `care_of` really ends.
static __always_inline struct hs_address tunnelEnd(const struct hs_node* self, const struct hs_address* care_of) {
    const int reaches = !isBehindNat(care_of) || (self->flags & HS_NODE_HOME_AGENT);
    return isBehindNat(&self->care_of) || !reaches ? self->home_agent : *care_of;
}

// Whose care-of address is behind an outer source.
static __always_inline struct hs_address udpPeer(__be32 address, __be16 port) {
    const struct hs_nat_binding key = {.address = address, .port = port};
    const struct hs_address* const care_of = bpf_map_lookup_elem(&nat_peers, &key);
    const struct hs_address nobody = {};
    if (care_of) return *care_of;
    return port == bpf_htons(HS_UDP_TUNNEL_PORT) ? mappedAddress(address) : nobody;
}

// Where to send what is for `end`; address 0 while its node has sent no keepalive.
static __always_inline struct hs_nat_binding udpDestination(const struct hs_address* end) {
    const struct hs_address key = *end;
    struct hs_nat_binding to = {};
    if (!isBehindNat(end)) {
        to.address = end->words[3];
        to.port = bpf_htons(HS_UDP_TUNNEL_PORT);
        return to;
    }
    const struct hs_nat_binding* const known = bpf_map_lookup_elem(&nat_bindings, &key);
    return known ? *known : to;
}
