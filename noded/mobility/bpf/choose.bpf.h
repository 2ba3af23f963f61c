// Whose a flow is, of those that share a home address: by the set's balance for a flow that begins, by memory for one
// that lives. So a set that changes moves no old flow.
#pragma once

#include "noded/mobility/bpf/binding_lines.bpf.h"
#include "noded/mobility/bpf/packet.bpf.h"

struct choice {
    const struct hs_set* set;
    const struct hs_set_state* state;  // null unless the balance is by load
    __u32 hash;
    __u32 known;  // the flow's member so far
    __u32 found;
    __u32 best;  // place in the set
    __u32 best_draw;
    __u64 best_cost;
    __u64 best_weight;
};

// In memory that could be written, so that the verifier does not know it. Linux 6.1 verifies the steps of bpf_loop() as
// if there were the first alone: of what they compare with a constant of before the loop, it removes the other branch.
static volatile __u32 unknown_zero;

// The steps of bpf_loop(); non-zero ends it. (A plain loop would be verified step by step, which takes seconds.)

static long findKnown(__u32 i, struct choice* choice) {
    if (i >= HS_MAX_MEMBERS) return 1;
    if (choice->set->members[i].id != choice->known) return 0;
    choice->best = i;
    choice->found = 1;
    return 1;
}

static __always_inline void takeIfBetter(struct choice* choice, __u32 i, __u64 cost, __u32 weight, __u32 draw) {
    const __u64 ours = cost * choice->best_weight;
    const __u64 best = choice->best_cost * weight;
    if (choice->found && (ours > best || (ours == best && draw <= choice->best_draw))) return;
    choice->best = i;
    choice->best_cost = cost;
    choice->best_weight = weight;
    choice->best_draw = draw;
    choice->found = 1;
}

static long drawForFlow(__u32 i, struct choice* choice) {
    if (i >= HS_MAX_MEMBERS) return 1;
    const struct hs_member* member = &choice->set->members[i];
    if (!member->weight) return 0;
    const __u32 draw = drawOf(choice->hash, member->id);
    takeIfBetter(choice, i, choice->set->equal ? 0 : minusLog2(draw), member->weight, draw);
    return 0;
}

static long weighLoad(__u32 i, struct choice* choice) {
    if (i >= HS_MAX_MEMBERS || !choice->state) return 1;
    const struct hs_member* member = &choice->set->members[i];
    if (!member->weight) return 0;
    const __u64 load = (__u64)member->load + choice->state->given[i] + 1;
    takeIfBetter(choice, i, load, member->weight, drawOf(choice->hash, member->id));
    return 0;
}

static __always_inline void takeTurn(struct choice* choice, struct hs_set_state* state) {
    const __u32 turns = choice->set->turns;
    if (!turns || turns > HS_MAX_TURNS) return;
    const __u64 turn = __sync_fetch_and_add(&state->turn, 1) % turns;
    if (turn >= HS_MAX_TURNS) return;
    choice->best = choice->set->schedule[turn];
    choice->found = 1;
}

// For a flow that begins. One that is only heard of (quoted, or a fragment of something unknown) takes nobody's turn.
static __always_inline void chooseAnew(struct choice* choice, const struct hs_set_key* key, __u32 begins) {
    struct hs_set_state* state = 0;
    if (begins && choice->set->balance != HS_BALANCE_HASH) state = bpf_map_lookup_elem(&set_states, key);
    if (!state) {
        bpf_loop(choice->set->count, drawForFlow, choice, 0);
    } else if (choice->set->balance == HS_BALANCE_TURNS) {
        takeTurn(choice, state);
    } else {
        choice->state = state;
        bpf_loop(choice->set->count, weighLoad, choice, 0);
        if (choice->found && choice->best < HS_MAX_MEMBERS) __sync_fetch_and_add(&state->given[choice->best], 1);
    }
}

// A first fragment tells later ones whose they are. True when the flow is known with its ports.
static __always_inline int joinFragments(const struct packet* packet, struct hs_flow* flow) {
    const struct hs_fragmented key = {.source = packet->source,
                                      .destination = packet->destination,
                                      .identification = packet->fragment_identification};
    if (packet->later_fragment) {
        const struct hs_flow* first = bpf_map_lookup_elem(&fragmented, &key);
        if (first) *flow = *first;
        return first != 0;
    }
    flow->protocol = packet->protocol;
    flow->source_port = packet->source_port;
    flow->destination_port = packet->destination_port;
    bpf_map_update_elem(&fragmented, &key, flow, BPF_ANY);
    return 1;
}

static __always_inline int opensConnection(const struct packet* packet) {
    return packet->protocol == IPPROTO_TCP && !packet->later_fragment &&
           (packet->tcp_flags & (TCP_FLAG_SYN_BIT | TCP_FLAG_ACK_BIT)) == TCP_FLAG_SYN_BIT;
}

// Set before loading, on home agents.
const volatile __u32 tells_choices = 0;

// What finds no room is left out: the others then choose for themselves.
static __always_inline void tellChoice(const struct hs_flow* flow, __u32 id) {
    struct hs_chosen_flow* told = bpf_ringbuf_reserve(&chosen_flows, sizeof(*told), 0);
    if (!told) return;
    told->flow = *flow;
    told->id = id;
    told->reserved = 0;
    bpf_ringbuf_submit(told, 0);
}

// True when somebody has the flow, or can take it. All is copied: Linux 6.1 takes no memory of a caller's as the key or
// value of a map.
__noinline int chooseMember(const struct packet* packet, __u32 scope, struct hs_member* chosen) {
    if (!packet || !chosen) return 0;
    const struct hs_set_key set_key = {.home_address = packet->destination, .scope = scope};
    struct hs_flow flow = packet->flow;
    __u32 begins = !packet->quotes;
    if (packet->fragment && !packet->quotes) begins = joinFragments(packet, &flow);
    const __u32 zero = unknown_zero;
    struct choice choice = {.set = bpf_map_lookup_elem(&sets, &set_key),
                            .hash = hashFlow(&flow),
                            .found = zero,
                            .best_draw = zero,
                            .best_cost = zero,
                            .best_weight = zero};
    if (!choice.set) return 0;

    flow.scope = scope;
    const struct hs_chosen* before = bpf_map_lookup_elem(&flows, &flow);
    if (before) {
        choice.known = before->id;
        choice.best = before->place;
        if (choice.best < HS_MAX_MEMBERS && choice.best < choice.set->count &&
            choice.set->members[choice.best].id == choice.known)
            choice.found = 1;
        else
            bpf_loop(choice.set->count, findKnown, &choice, 0);
    }
    // A connection that is opened anew is a new flow to a member that takes none.
    if (choice.found && choice.best < HS_MAX_MEMBERS && !choice.set->members[choice.best].weight &&
        opensConnection(packet))
        choice.found = 0;
    const __u32 remembered = choice.found && before && before->place == choice.best;
    if (!choice.found) chooseAnew(&choice, &set_key, begins);
    if (!choice.found || choice.best >= HS_MAX_MEMBERS) return 0;
    *chosen = choice.set->members[choice.best];
    if (!remembered && begins) {
        const struct hs_chosen now = {.id = chosen->id, .place = choice.best};
        const __u32 is_news = !before || before->id != now.id;
        bpf_map_update_elem(&flows, &flow, &now, BPF_ANY);
        if (tells_choices && is_news && scope == HS_SCOPE_CARE_OF) tellChoice(&flow, now.id);
    }
    return 1;
}

struct sought {
    const struct hs_set* set;
    struct hs_address care_of;
    __u32 found;
};

static long findCareOf(__u32 i, struct sought* sought) {
    if (i >= HS_MAX_MEMBERS) return 1;
    const struct hs_address care_of = sought->set->members[i].care_of;
    if (!sameAddress(&care_of, &sought->care_of)) return 0;
    sought->found = 1;
    return 1;
}

enum place {
    PLACE_UNKNOWN,  // not bound at all
    PLACE_THERE,    // bound to that care-of address, others aside
    PLACE_ELSEWHERE,
};

// Whether a home address, one below the home prefix, is bound to `care_of`.
__noinline int placeOf(const struct hs_address* home_address, const struct hs_address* care_of) {
    if (!home_address || !care_of) return PLACE_UNKNOWN;
    __u64* word;
    const struct hs_address* const known = has_binding_lines ? findCareOfByLine(home_address, &word) : 0;
    if (known) return sameAddress(known, care_of) ? PLACE_THERE : PLACE_ELSEWHERE;
    const struct hs_set_key set_key = {.home_address = *home_address, .scope = HS_SCOPE_CARE_OF};
    const struct hs_binding* binding = bpf_map_lookup_elem(&bindings, &set_key.home_address);
    if (!binding) return PLACE_UNKNOWN;
    if (!binding->shared) return sameAddress(&binding->care_of, care_of) ? PLACE_THERE : PLACE_ELSEWHERE;
    const __u32 zero = unknown_zero;
    struct sought sought = {.set = bpf_map_lookup_elem(&sets, &set_key), .care_of = *care_of, .found = zero};
    if (!sought.set) return PLACE_UNKNOWN;
    bpf_loop(sought.set->count, findCareOf, &sought, 0);
    return sought.found ? PLACE_THERE : PLACE_ELSEWHERE;
}
