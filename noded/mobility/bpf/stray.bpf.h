// Packets that came by tunnel for a sliver that is not here: noded answers their sender with a Binding Error.
#pragma once

#include "noded/mobility/bpf/packet.bpf.h"
#include "noded/mobility/bpf/stray.h"

#define STRAY_INTERVAL_NS 1000000000ull

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, HS_STRAYS_BYTES);
} strays SEC(".maps");

// When each was told last.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HS_STRAY_TIMES);
    __type(key, struct hs_stray);
    __type(value, __u64);
} stray_times SEC(".maps");

static __always_inline void reportStray(const struct hs_address* sender, const struct packet* packet) {
    struct hs_stray stray = {.sender = *sender, .home_address = packet->destination};
    const __u64 now = bpf_ktime_get_ns();
    const __u64* last = bpf_map_lookup_elem(&stray_times, &stray);
    if (last && now - *last < STRAY_INTERVAL_NS) return;
    bpf_map_update_elem(&stray_times, &stray, &now, BPF_ANY);
    bpf_ringbuf_output(&strays, &stray, sizeof(stray), 0);
}
