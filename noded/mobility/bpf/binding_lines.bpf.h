// What a home agent's programs ask of the lines of neighbouring bindings.
#pragma once

#include "noded/mobility/bpf/binding_lines.h"
#include "noded/mobility/bpf/packet.bpf.h"

// Set before loading: on home agents.
const volatile __u32 has_binding_lines;

// The word of `home_address`, one below the home prefix; null when it has none.
static __always_inline __u64* findWord(const struct hs_address* home_address) {
    const __u32 last = bpf_ntohl(home_address->words[3]);
    const __u64 group = groupOf(home_address, last);
    __u32 place = last % HS_LINE_BINDINGS;
    barrier_var(place);  // else the compiler takes the check that the verifier wants to see for needless
    if (!group || place >= HS_LINE_BINDINGS) return 0;
    __u32 at = lineOf(group);
#pragma unroll
    for (int i = 0; i < HS_LINE_PROBES; i++, at = lineAfter(at)) {
        struct hs_binding_line* const line = bpf_map_lookup_elem(&binding_lines, &at);
        if (!line) return 0;
        const __u64 found = *(volatile __u64*)&line->group;
        if (found == group) return &line->words[place];
        if (!found) return 0;
    }
    return 0;
}

// The care-of address that the word says; null when it says none.
static __always_inline const struct hs_address* careOfWord(const __u64* word) {
    const __u32 place = word ? *(const volatile __u64*)word >> HS_WORD_PLACE_SHIFT : 0;
    return place ? bpf_map_lookup_elem(&care_ofs, &place) : 0;
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
