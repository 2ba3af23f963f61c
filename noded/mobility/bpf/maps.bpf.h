// The maps. Sizes that depend on the node's role are set before loading (maps.cpp).
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "noded/mobility/bpf/layout.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct hs_node);
} node SEC(".maps");

// Grows with each change to anything that a path or an arrival (paths.bpf.h) was made from.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} generation SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_PEERS);
    __type(key, struct hs_address);
    __type(value, __u8);
} trusted_peers SEC(".maps");

// A home agent's: where nodes behind NATs are seen, and who is seen there.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_NAT_BINDINGS);
    __type(key, struct hs_address);
    __type(value, struct hs_nat_binding);
} nat_bindings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_NAT_BINDINGS);
    __type(key, struct hs_nat_binding);
    __type(value, struct hs_address);
} nat_peers SEC(".maps");

// Paths through which less goes than the uplink takes, as routers on them have said.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HS_PATH_MTUS);
    __type(key, struct hs_address);
    __type(value, struct hs_path_mtu);
} path_mtus SEC(".maps");

// Addresses that slivers begin nothing with, beside the peers': the controller's.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_GUARDED);
    __type(key, struct hs_address);
    __type(value, __u8);
} guarded SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_PORTS);
    __type(key, __u32);
    __type(value, struct hs_port);
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_EXPOSED);
    __type(key, struct hs_exposed);
    __type(value, __u8);
} exposed SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 2 * HS_MAX_PORTS);
    __type(key, struct hs_address);
    __type(value, struct hs_local);
} local_slivers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_BINDINGS);
    __type(key, struct hs_address);
    __type(value, struct hs_binding);
} bindings SEC(".maps");

// A home agent's: most of `bindings` once more, in lines of the processor's caches. Mapped by noded, and thereby
// aligned.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, HS_BINDING_LINES);
    __type(key, __u32);
    __type(value, struct hs_binding_line);
} binding_lines SEC(".maps");

// Where in `binding_lines` each bucket of groups is. Mapped by noded.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, HS_DISPLACEMENT_LINES);
    __type(key, __u32);
    __type(value, struct hs_displacements);
} displacements SEC(".maps");

// The care-of addresses of bindings in lines; the first is nobody's. One that is in stays where it is.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, HS_CARE_OFS);
    __type(key, __u32);
    __type(value, struct hs_address);
} care_ofs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_BINDINGS);
    __type(key, struct hs_shared_key);
    __type(value, struct hs_counts);
} shared_counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_SETS);
    __type(key, struct hs_set_key);
    __type(value, struct hs_set);
} sets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_SETS);
    __type(key, struct hs_set_key);
    __type(value, struct hs_set_state);
} set_states SEC(".maps");

// Whose a flow to a shared address is, as long as it lives.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HS_FLOWS_ACCESS_GATEWAY);
    __type(key, struct hs_flow);
    __type(value, struct hs_chosen);
} flows SEC(".maps");

// Each choice that is put into `flows`, for the other home agents.
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, HS_CHOSEN_FLOWS_BYTES);
} chosen_flows SEC(".maps");

// The flow of a packet whose later fragments are still to come.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HS_FRAGMENTED);
    __type(key, struct hs_fragmented);
    __type(value, struct hs_flow);
} fragmented SEC(".maps");

// Flows that slivers began, as their packets to the sliver carry them: UDP; with HS_NODE_OUTBOUND TCP as well.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HS_BEGUN_FLOWS);
    __type(key, struct hs_flow);
    __type(value, __u8);
} begun_flows SEC(".maps");

// Not read by the programs: the home agent's bindings with generation and sequence, for a restarted noded.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_BINDINGS);
    __type(key, struct hs_saved_key);
    __type(value, struct hs_saved_binding);
} saved_bindings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, HS_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

static __always_inline void add(enum hs_counter counter, __u64 amount) {
    __u32 index = counter;
    __u64* value = bpf_map_lookup_elem(&counters, &index);
    if (value) *value += amount;
}
