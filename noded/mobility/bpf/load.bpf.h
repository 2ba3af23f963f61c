// Reading a packet: straight from its linear part when it lies there, which is nearly always, else with the helper that
// also copes with fragments of the socket buffer. Both check bounds.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define FOR_LOADING __attribute__((aligned(4)))

enum {
    LINEAR_AT_MOST = 1024,  // the verifier wants to know a bound
};

// `size` is a constant; `to` is aligned to 4, by its type or by FOR_LOADING.
static __always_inline long load(struct __sk_buff* skb, __u32 offset, void* to, const __u32 size) {
    const void* const end = (const void*)(long)skb->data_end;
    if (offset < LINEAR_AT_MOST) {
        const void* const from = (const void*)(long)skb->data + offset;
        if (from + size <= end) {
            const __u32* const words = __builtin_assume_aligned(from, 4);
            __builtin_memcpy(__builtin_assume_aligned(to, 4), words, size);
            return 0;
        }
    }
    return bpf_skb_load_bytes(skb, offset, to, size);
}
