// The node's resolver, at PREFIX::53 on every node (spec/slice_names.h): the one service of the node's own that slivers
// may begin a flow with.
#pragma once

#include "noded/mobility/bpf/packet.bpf.h"

enum {
    RESOLVER_INTERFACE_ID = 0x53,
    DNS_PORT = 53,
};

static __always_inline int isResolver(const struct hs_node* self, const struct hs_address* address) {
    if (!(self->flags & HS_NODE_HAS_PREFIX) || (self->flags & HS_NODE_HOME_AGENT)) return 0;
    return address->words[0] == self->home_prefix.words[0] && address->words[1] == self->home_prefix.words[1] &&
           address->words[2] == 0 && address->words[3] == bpf_htonl(RESOLVER_INTERFACE_ID);
}

static __always_inline int isForResolver(const struct hs_node* self, const struct packet* packet) {
    return !packet->later_fragment && isResolver(self, &packet->destination) &&
           packet->destination_port == bpf_htons(DNS_PORT) &&
           (packet->protocol == IPPROTO_UDP || packet->protocol == IPPROTO_TCP);
}
