// What was found out for a pair of addresses, kept for the packets that follow: one look instead of five. Nothing of it
// outlives a change: each raises the generation, and what was found in an earlier one is found anew. Kept for each
// processor alone, so that nobody writes while another reads.
#pragma once

#include "noded/mobility/bpf/packet.bpf.h"

// Of what a sliver sends to another: all that does not hang on the single packet. Its source is the sliver's own.
struct hs_path {
    struct hs_address source;
    struct hs_address destination;
    __u32 link;  // the sender's port
    __u32 mtu;
    __u64 generation;
    __u64 until_ns;  // that of the next hop
    struct hs_address care_of;
    __u32 hash;  // of the addresses
    struct hs_link_addresses link_addresses;
    __u8 sliver_mac[ETH_ALEN];
    __u16 reserved;
};

// Of what comes by tunnel for a sliver: the outer source is trusted, and the port is the sliver's.
struct hs_arrival {
    struct hs_address sender;
    struct hs_address destination;
    __u64 generation;
    __u32 link;
    __u32 flags;  // HS_PORT_*
    struct hs_link_addresses link_addresses;
    __u32 reserved;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, HS_PATHS);
    __type(key, __u32);
    __type(value, struct hs_path);
} paths SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, HS_PATHS);
    __type(key, __u32);
    __type(value, struct hs_arrival);
} arrivals SEC(".maps");

// To be asked before anything is looked up that shall be kept: then no change is missed that comes meanwhile.
static __always_inline __u64 generationNow(void) {
    const __u32 index = 0;
    const volatile __u64* const value = bpf_map_lookup_elem(&generation, &index);
    return value ? *value : 0;
}

static __always_inline void forgetPaths(void) {
    const __u32 index = 0;
    __u64* const value = bpf_map_lookup_elem(&generation, &index);
    if (value) __sync_fetch_and_add(value, 1);
}

// Where the pair is kept. Slivers of a slice differ in the last word, slices in the second.
static __always_inline __u32 placeOfPair(const struct hs_address* a, const struct hs_address* b) {
    const __u32 one = a->words[1] ^ a->words[3];
    const __u32 other = b->words[1] ^ b->words[3];
    return mix(one * 0x9e3779b1u, other) % HS_PATHS;
}

// Null when nothing is known, or not any more. An ICMPv6 error hangs on what it quotes.
static __always_inline const struct hs_path* findPath(__u32 link, const struct ethhdr* ethernet,
                                                      const struct packet* packet, __u64 generation_now) {
    const __u32 place = placeOfPair(&packet->source, &packet->destination);
    const struct hs_path* const path = bpf_map_lookup_elem(&paths, &place);
    if (!path || path->generation != generation_now || path->link != link || packet->quotes) return 0;
    if (!sameAddress(&path->source, &packet->source) || !sameAddress(&path->destination, &packet->destination) ||
        !sameMac(path->sliver_mac, ethernet->h_source))
        return 0;
    return bpf_ktime_get_coarse_ns() <= path->until_ns ? path : 0;
}

// The place for a path; null while another pair has it. So pairs that meet there do not drive each other out with each
// packet.
static __always_inline struct hs_path* placeForPath(const struct packet* packet, __u64 generation_now) {
    const __u32 place = placeOfPair(&packet->source, &packet->destination);
    struct hs_path* const path = bpf_map_lookup_elem(&paths, &place);
    if (!path) return 0;
    const int taken = path->generation == generation_now && bpf_ktime_get_coarse_ns() <= path->until_ns;
    return taken ? 0 : path;
}

static __always_inline const struct hs_arrival* findArrival(const struct hs_address* sender,
                                                            const struct packet* packet, __u64 generation_now) {
    const __u32 place = placeOfPair(sender, &packet->destination);
    const struct hs_arrival* const arrival = bpf_map_lookup_elem(&arrivals, &place);
    if (!arrival || arrival->generation != generation_now) return 0;
    if (!sameAddress(&arrival->sender, sender) || !sameAddress(&arrival->destination, &packet->destination)) return 0;
    return arrival;
}

static __always_inline void keepArrival(const struct hs_address* sender, const struct packet* packet, __u32 link,
                                        __u64 generation_now) {
    const __u32 place = placeOfPair(sender, &packet->destination);
    struct hs_arrival* const arrival = bpf_map_lookup_elem(&arrivals, &place);
    const struct hs_port* const port = bpf_map_lookup_elem(&ports, &link);
    if (!arrival || !port) return;
    arrival->sender = *sender;
    arrival->destination = packet->destination;
    arrival->generation = generation_now;
    arrival->link = link;
    arrival->flags = port->flags;
    arrival->link_addresses = port->link_addresses;
}
