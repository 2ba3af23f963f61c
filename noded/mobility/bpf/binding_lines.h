// Bindings of neighbouring home addresses, seven to a line of the processor's caches: where a packet goes, and what is
// counted there, is found with one wait for memory, of however many bindings. A table beside `bindings`, which has all
// of them, and is asked when no line knows. The same code in the programs and in C++.
#pragma once

#include <linux/types.h>

#include "noded/mobility/bpf/layout.h"

// A word of a line: the place of the care-of address in `care_ofs` in the highest 16 bits (0: ask `bindings`), packets
// in the next 16, bytes in the lower half. What is counted moves on to `bindings` when one of both is half full.
#define HS_WORD_PLACE_SHIFT 48
#define HS_WORD_PACKETS_SHIFT 32
#define HS_WORD_COUNTS 0x0000ffffffffffffull
#define HS_WORD_HALF_FULL 0x0000800080000000ull

// In lines; odd, and far.
#define HS_DISPLACEMENT_STEP 162013ull

// Which of a line's neighbours a home address belongs to, and no other address below the same home prefix of 32 bits or
// more; 0: it can have no line. `last`: its last word in host byte order.
static inline __attribute__((always_inline)) __u64 groupOf(const struct hs_address* home_address, __u32 last) {
    if (home_address->words[2] != 0) return 0;
    const __u64 slice = home_address->words[1];
    return slice << 32 | (last / HS_LINE_BINDINGS + 1);
}

// Groups are displaced together with those of the same bucket: two or three, when a million addresses are bound.
static inline __attribute__((always_inline)) __u64 bucketOf(__u64 group) {
    return (group ^ group >> 32) * 0xff51afd7ed558ccdull >> (64 - HS_DISPLACEMENTS_LOG);
}

// Where its line is. By Fibonacci hashing, so that groups in a row hardly ever meet; noded chooses the displacement so
// that none do (hash and displace).
static inline __attribute__((always_inline)) __u64 lineOf(__u64 group, __u8 displacement) {
    const __u64 undisplaced = group * 0x9e3779b97f4a7c15ull >> (64 - HS_BINDING_LINES_LOG);
    return (undisplaced + displacement * HS_DISPLACEMENT_STEP) % HS_BINDING_LINES;
}

static inline __attribute__((always_inline)) struct hs_counts countsIn(__u64 word) {
    const struct hs_counts counts = {.packets = (word & HS_WORD_COUNTS) >> HS_WORD_PACKETS_SHIFT,
                                     .bytes = word & 0xffffffffu};
    return counts;
}
