// To whom a packet goes: one of the local slivers behind an address, or one of its care-of addresses. Both by
// rendezvous hashing of the flow, so that a change of the set moves few flows, with a memory of flows, so that it moves
// no old one.
#pragma once

#include "noded/mobility/bpf/policy.bpf.h"
#include "noded/mobility/bpf/tunnel.bpf.h"

struct local_choice {
    const struct hs_local* local;
    __u32 hash;
    __u32 known;  // the flow's link so far; 0: none
    __u32 best;
    __u32 best_weight;
};

// One step of bpf_loop(); non-zero ends it. (A plain loop would be verified step by step, which takes seconds.)
static long weighLocal(__u32 i, struct local_choice* choice) {
    if (i >= HS_MAX_LOCAL) return 1;
    const __u32 link = choice->local->links[i];
    const __u32 weight = mix(choice->hash, link);
    if (link == choice->known || choice->best == 0 || weight > choice->best_weight) {
        choice->best = link;
        choice->best_weight = weight;
    }
    return link == choice->known;
}

// The flow is copied: Linux 6.1 takes no memory of a caller's as the key or value of a map.
__noinline __u32 chooseAmongLocal(const struct hs_local* local, const struct hs_flow* flow) {
    if (!local || !flow) return 0;
    const struct hs_flow key = *flow;
    const __u32* known = bpf_map_lookup_elem(&local_flows, &key);
    struct local_choice choice = {.local = local, .hash = hashFlow(flow), .known = known ? *known : 0};
    bpf_loop(local->count, weighLocal, &choice, 0);
    if (choice.best && choice.best != choice.known) bpf_map_update_elem(&local_flows, &key, &choice.best, BPF_ANY);
    return choice.best;
}

// The host end of the port of the sliver that `packet` is for; 0 when it is not here.
static __always_inline __u32 chooseLocal(const struct packet* packet) {
    const struct hs_local* local = bpf_map_lookup_elem(&local_slivers, &packet->destination);
    if (!local) return 0;
    return local->count == 1 ? local->links[0] : chooseAmongLocal(local, &packet->flow);
}

struct care_of_choice {
    const struct hs_care_of_set* set;
    const struct hs_address* known;  // the flow's care-of address so far; null: none
    struct hs_address best;
    __u32 hash;
    __u32 best_weight;
    __u32 found;
};

static long weighCareOf(__u32 i, struct care_of_choice* choice) {
    if (i >= HS_MAX_CARE_OF) return 1;
    const struct hs_care_of* member = &choice->set->members[i];
    const int is_known = choice->known && sameAddress(choice->known, &member->address);
    const __u32 weight = mix(choice->hash, member->seed);
    if (is_known || !choice->found || weight > choice->best_weight) {
        choice->best = member->address;
        choice->best_weight = weight;
        choice->found = 1;
    }
    return is_known;
}

__noinline int chooseAmongCareOf(const struct hs_care_of_set* set, const struct hs_flow* flow,
                                 struct hs_address* chosen) {
    if (!set || !flow || !chosen) return 0;
    const struct hs_flow key = *flow;
    struct care_of_choice choice = {
        .set = set, .known = bpf_map_lookup_elem(&care_of_flows, &key), .hash = hashFlow(flow)};
    bpf_loop(set->count, weighCareOf, &choice, 0);
    if (!choice.found) return 0;
    *chosen = choice.best;
    if (!choice.known || !sameAddress(choice.known, chosen))
        bpf_map_update_elem(&care_of_flows, &key, &choice.best, BPF_ANY);
    return 1;
}

static __always_inline int chooseCareOf(const struct packet* packet, struct hs_address* chosen) {
    const struct hs_binding* binding = bpf_map_lookup_elem(&bindings, &packet->destination);
    if (!binding) return 0;
    const struct hs_care_of_set* set = 0;
    if (binding->count > 1) set = bpf_map_lookup_elem(&care_of_sets, &packet->destination);
    if (set) return chooseAmongCareOf(set, &packet->flow, chosen);
    *chosen = binding->care_of;
    return 1;
}

static __always_inline void countBinding(struct __sk_buff* skb, const struct hs_address* home_address) {
    struct hs_binding_counters* binding = bpf_map_lookup_elem(&binding_counters, home_address);
    if (!binding) return;
    __sync_fetch_and_add(&binding->packets, 1);
    __sync_fetch_and_add(&binding->bytes, skb->len - ETH_HLEN);
}

static __always_inline int encapsulateToBinding(struct __sk_buff* skb, const struct packet* packet,
                                                const struct hs_node* self, const struct hs_address* care_of,
                                                __u32 relayed) {
    countBinding(skb, &packet->destination);
    return encapsulate(skb, packet, self, care_of, relayed);
}

static __always_inline int setLinkLayer(struct __sk_buff* skb, const struct hs_port* port) {
    struct ethhdr ethernet = {.h_proto = bpf_htons(ETH_P_IPV6)};
    __builtin_memcpy(ethernet.h_dest, port->sliver_mac, ETH_ALEN);
    __builtin_memcpy(ethernet.h_source, port->host_mac, ETH_ALEN);
    return bpf_skb_store_bytes(skb, 0, &ethernet, sizeof(ethernet), 0) ? -1 : 0;
}

// Into the sliver behind `link`, past the host end's own queue unless that has a limit. Ingress hooks only.
static __always_inline int deliver(struct __sk_buff* skb, const struct packet* packet, __u32 link) {
    const struct hs_port* port = bpf_map_lookup_elem(&ports, &link);
    if (!port) return drop(HS_DROPPED_NO_SLIVER);
    if (!mayEnter(link, packet)) return drop(HS_DROPPED_NOT_EXPOSED);
    setHopLimit(skb, packet->hop_limit - 1);
    if (setLinkLayer(skb, port)) return drop(HS_DROPPED_MALFORMED);
    if (port->flags & HS_PORT_QUEUED) return bpf_redirect(link, 0);
    return bpf_redirect_peer(link, 0);
}
