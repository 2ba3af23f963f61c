// Rendezvous hashing (Thaler and Ravishankar), weighted: each member of a set draws a number for the flow, and the best
// one has it. Who draws depends on nobody else, so a member that comes or goes moves only its own share. The same code
// in the programs and in C++, where a test counts.
#pragma once

#include <linux/types.h>

#ifdef __bpf__
#define HS_VERIFIED_ONCE __noinline  // a global function
#else
#define HS_VERIFIED_ONCE static inline
#endif

enum { HS_LOG_FRACTION = 24 };

// murmur3's 32-bit finalizer, chained over the words.
static inline __attribute__((always_inline)) __u32 mix(__u32 hash, __u32 word) {
    hash ^= word;
    hash ^= hash >> 16;
    hash *= 0x85ebca6b;
    hash ^= hash >> 13;
    hash *= 0xc2b2ae35;
    return hash ^ (hash >> 16);
}

// What the member draws: uniform over 32 bits.
static inline __attribute__((always_inline)) __u32 drawOf(__u32 flow_hash, __u32 member) {
    return mix(flow_hash, member * 0x9e3779b1u);
}

// -log2 of the draw as a share of 2^32, in units of 2^-24. Of draws u the least -log(u)/weight belongs to each member
// as often as its weight says (exponential clocks). Without branches in the loop, whose paths would all be verified.
HS_VERIFIED_ONCE __u32 minusLog2(__u32 draw) {
    __u64 x = draw;
    __u32 whole = 0;
    __u32 fraction = 0;
    x += 1;  // of 2^32
    for (__u32 step = 16; step > 0; step >>= 1) {
        if (x >= 1ULL << (32 - step)) continue;
        x <<= step;
        whole += step;
    }
    if (x == 1ULL << 32) return 0;
    // x / 2^31 is in [1, 2); each squaring shows the next binary digit of its logarithm.
    for (int digit = 0; digit < HS_LOG_FRACTION; digit++) {
        x = (x * x) >> 31;
        const __u32 one = (x >> 32) & 1;
        x >>= one;
        fraction = fraction << 1 | one;
    }
    return ((whole + 1) << HS_LOG_FRACTION) - fraction;
}
