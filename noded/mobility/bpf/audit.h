// The record of what slivers send, shared with C++. Plain C, as layout.h.
#pragma once

#include "noded/mobility/bpf/layout.h"

enum {
    HS_AUDITED_FLOWS = 131072,
    // That one sliver may begin in HS_AUDIT_INTERVAL_NS; more are recorded together, by protocol.
    HS_AUDIT_NEW_FLOWS = 2048,
};

#define HS_AUDIT_INTERVAL_NS 5000000000ull

// Key of `audited_flows`, and of `audited_rest` with nothing in `flow` but the protocol.
struct hs_audited_key {
    struct hs_flow flow;
    __u32 link;  // the sliver's port
};

struct hs_audited {
    __u64 first_ns;  // monotonic
    __u64 last_ns;
    __u64 packets;
    __u64 bytes;                     // of IPv6 packets
    struct hs_address home_address;  // the sliver's own
};

// Value of `audit_quotas`, key: link.
struct hs_audit_quota {
    __u64 since_ns;
    __u64 flows;
};

HS_STATIC_ASSERT(sizeof(struct hs_audited_key) == 44);
HS_STATIC_ASSERT(sizeof(struct hs_audited) == 48);
