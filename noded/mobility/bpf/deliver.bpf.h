// Where a packet goes: to a local sliver, or to a care-of address.
#pragma once

#include "noded/mobility/bpf/choose.bpf.h"
#include "noded/mobility/bpf/policy.bpf.h"
#include "noded/mobility/bpf/tunnel.bpf.h"

// The host end of the port of the sliver that `packet` is for; 0 when it is not here.
static __always_inline __u32 linkOf(const struct hs_local* local, const struct packet* packet) {
    struct hs_member chosen;
    if (!local) return 0;
    if (!local->shared) return local->link;
    return chooseMember(packet, HS_SCOPE_LOCAL, &chosen) ? chosen.link : 0;
}

static __always_inline __u32 chooseLocal(const struct packet* packet) {
    return linkOf(bpf_map_lookup_elem(&local_slivers, &packet->destination), packet);
}

// Where `binding` says that the packet goes: fills `care_of`, and says where that is counted. Null when nowhere.
static __always_inline struct hs_counts* careOfIn(struct hs_binding* binding, const struct packet* packet,
                                                  struct hs_address* care_of) {
    struct hs_member chosen;
    if (!binding) return 0;
    if (!binding->shared) {
        *care_of = binding->care_of;
        return &binding->counts;
    }
    if (!chooseMember(packet, HS_SCOPE_CARE_OF, &chosen)) return 0;
    *care_of = chosen.care_of;
    const struct hs_shared_key key = {.home_address = packet->destination, .id = chosen.id};
    struct hs_counts* counts = bpf_map_lookup_elem(&shared_counts, &key);
    return counts ? counts : &binding->counts;
}

// Where what goes to a binding is counted.
struct bound {
    __u64* word;               // of `binding_lines`; null: none
    struct hs_counts* counts;  // when there is no word
};

// False when the home address of the packet is not bound.
static __always_inline int chooseCareOf(const struct packet* packet, struct hs_address* care_of, struct bound* bound) {
    const struct hs_address* const known = has_binding_lines ? findCareOfByLine(&packet->destination, &bound->word) : 0;
    if (known) {
        *care_of = *known;
        return 1;
    }
    bound->word = 0;
    bound->counts = careOfIn(bpf_map_lookup_elem(&bindings, &packet->destination), packet, care_of);
    return bound->counts != 0;
}

static __always_inline int encapsulateToBinding(struct __sk_buff* skb, const struct packet* packet,
                                                const struct hs_node* self, const struct bound* bound,
                                                const struct hs_address* care_of, __u32 how) {
    const __u32 length = skb->len - ETH_HLEN;
    if (bound->word)
        countInWord(bound->word, &packet->destination, length);
    else if (bound->counts)
        countIn(bound->counts, 1, length);
    return encapsulate(skb, packet, self, care_of, how);
}

// Into the sliver behind `link`, past the host end's own queue unless that has a limit. Ingress hooks only.
static __always_inline int moveIn(struct __sk_buff* skb, const struct packet* packet, __u32 link, __u32 flags,
                                  const struct hs_link_addresses* addresses) {
    if (!mayEnter(link, packet)) return drop(HS_DROPPED_NOT_EXPOSED);
    setHopLimit(skb, packet->hop_limit - 1);
    if (writeLinkAddresses(skb, addresses)) return drop(HS_DROPPED_MALFORMED);
    return flags & HS_PORT_QUEUED ? bpf_redirect(link, 0) : bpf_redirect_peer(link, 0);
}

static __always_inline int deliver(struct __sk_buff* skb, const struct packet* packet, __u32 link) {
    const struct hs_port* port = bpf_map_lookup_elem(&ports, &link);
    if (!port) return drop(HS_DROPPED_NO_SLIVER);
    return moveIn(skb, packet, link, port->flags, &port->link_addresses);
}
