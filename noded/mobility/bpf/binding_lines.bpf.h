// What a home agent's programs ask of the lines of neighbouring bindings.
#pragma once

#include "noded/mobility/bpf/binding_lines.h"
#include "noded/mobility/bpf/packet.bpf.h"

// Set before loading: on home agents.
const volatile __u32 has_binding_lines;

static __always_inline struct hs_binding_line* findLine(__u64 group) {
    const __u32 bucket = bucketOf(group);
    const __u32 displacements_at = bucket / HS_LINE_DISPLACEMENTS;
    const struct hs_displacements* const known = bpf_map_lookup_elem(&displacements, &displacements_at);
    if (!known) return 0;
    const __u32 at = lineOf(group, *(const volatile __u8*)&known->of[bucket % HS_LINE_DISPLACEMENTS]);
    return bpf_map_lookup_elem(&binding_lines, &at);
}

// The care-of address of `home_address`, one below the home prefix, and its word; null when it has none. The word is
// read before whose line it is: a line that is given to others is emptied first.
static __always_inline const struct hs_address* findCareOfByLine(const struct hs_address* home_address, __u64** word) {
    const __u32 last = bpf_ntohl(home_address->words[3]);
    const __u64 group = groupOf(home_address, last);
    __u32 place = last % HS_LINE_BINDINGS;
    barrier_var(place);  // else the compiler takes the check that the verifier wants to see for needless
    if (!group || place >= HS_LINE_BINDINGS) return 0;
    struct hs_binding_line* const line = findLine(group);
    if (!line) return 0;
    *word = &line->words[place];
    const __u32 care_of = *(const volatile __u64*)*word >> HS_WORD_PLACE_SHIFT;
    if (*(const volatile __u64*)&line->group != group || !care_of) return 0;
    return bpf_map_lookup_elem(&care_ofs, &care_of);
}

static __always_inline void countIn(struct hs_counts* counts, __u64 packets, __u64 bytes) {
    __sync_fetch_and_add(&counts->packets, packets);
    __sync_fetch_and_add(&counts->bytes, bytes);
}

// Who finds a word half full empties it, unless somebody else has changed it meanwhile, who then finds the same.
static __always_inline void countInWord(__u64* word, const struct hs_address* home_address, __u32 length) {
    const __u64 more = (1ull << HS_WORD_PACKETS_SHIFT) + length;
    const __u64 now = __sync_fetch_and_add(word, more) + more;
    if (!(now & HS_WORD_HALF_FULL)) return;
    if (__sync_val_compare_and_swap(word, now, now & ~HS_WORD_COUNTS) != now) return;
    const struct hs_address key = *home_address;
    struct hs_binding* const binding = bpf_map_lookup_elem(&bindings, &key);
    const struct hs_counts counts = countsIn(now);
    if (binding) countIn(&binding->counts, counts.packets, counts.bytes);
}
