// Records what slivers send, for questions like "who was that, last night?" (docs/design/flow-audit.md). What a sliver
// cannot do, however many flows it begins: leave no trace, or fill the table so that others leave none.
#pragma once

#include "noded/mobility/bpf/audit.h"
#include "noded/mobility/bpf/packet.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_AUDITED_FLOWS);
    __type(key, struct hs_audited_key);
    __type(value, struct hs_audited);
} audited_flows SEC(".maps");

// Flows beyond a sliver's quota, or for which there was no room.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 4 * HS_MAX_PORTS);
    __type(key, struct hs_audited_key);
    __type(value, struct hs_audited);
} audited_rest SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, HS_MAX_PORTS);
    __type(key, __u32);
    __type(value, struct hs_audit_quota);
} audit_quotas SEC(".maps");

static __always_inline int countAudited(void* map, const struct hs_audited_key* key, __u64 now, __u32 packets,
                                        __u32 bytes) {
    struct hs_audited* audited = bpf_map_lookup_elem(map, key);
    if (!audited) return 0;
    audited->last_ns = now;
    __sync_fetch_and_add(&audited->packets, packets);
    __sync_fetch_and_add(&audited->bytes, bytes);
    return 1;
}

static __always_inline int mayBeginFlow(__u32 link, __u64 now) {
    struct hs_audit_quota* quota = bpf_map_lookup_elem(&audit_quotas, &link);
    if (!quota || now - quota->since_ns > HS_AUDIT_INTERVAL_NS) {
        const struct hs_audit_quota fresh = {.since_ns = now, .flows = 1};
        bpf_map_update_elem(&audit_quotas, &link, &fresh, BPF_ANY);
        return 1;
    }
    return __sync_fetch_and_add(&quota->flows, 1) < HS_AUDIT_NEW_FLOWS;
}

// A packet of the sliver behind `link`, whose source was checked.
__noinline int auditPacket(struct __sk_buff* skb, __u32 link, const struct packet* packet) {
    if (!packet) return 0;
    const __u64 now = bpf_ktime_get_ns();
    const __u32 packets = skb->gso_segs ? skb->gso_segs : 1;
    const __u32 bytes = skb->len - ETH_HLEN;
    struct hs_audited_key key = {.flow = {.source = packet->source,
                                          .destination = packet->destination,
                                          .source_port = packet->source_port,
                                          .destination_port = packet->destination_port,
                                          .protocol = packet->protocol},
                                 .link = link};
    if (countAudited(&audited_flows, &key, now, packets, bytes)) return 0;
    const struct hs_port* const port = bpf_map_lookup_elem(&ports, &link);
    if (!port) return 0;
    const struct hs_audited first = {
        .first_ns = now, .last_ns = now, .packets = packets, .bytes = bytes, .home_address = port->home_address};
    if (mayBeginFlow(link, now) && !bpf_map_update_elem(&audited_flows, &key, &first, BPF_NOEXIST)) return 0;
    const struct hs_audited_key rest = {.flow = {.protocol = packet->protocol}, .link = link};
    if (countAudited(&audited_rest, &rest, now, packets, bytes)) return 0;
    bpf_map_update_elem(&audited_rest, &rest, &first, BPF_NOEXIST);
    return 0;
}
