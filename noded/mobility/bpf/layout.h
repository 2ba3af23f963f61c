// What the BPF programs and the Forwarder share: keys and values of the maps, counters, constants. Plain C, because
// both sides compile it. Addresses are in network byte order; ports too, unless said otherwise.
//
// A change to any of this makes pinned maps of an older noded unusable: raise HS_LAYOUT_VERSION with it.
#pragma once

#include <linux/types.h>

#define HS_LAYOUT_VERSION 2

enum {
    HS_TUNNEL_OVERHEAD = 40,  // one IPv6 header (RFC 2473)
    HS_TUNNEL_HOP_LIMIT = 64,
    HS_KERNEL_MARK = 0x4853,  // skb->mark of packets that the kernel shall answer with an ICMPv6 error
    HS_MAX_CARE_OF = 64,      // care-of addresses that share the flows of one home address
    HS_MAX_LOCAL = 64,        // slivers of one node that share the flows of one slice address
    HS_MAX_PORTS = 4096,      // slivers of one node
    HS_MAX_EXPOSED = 65536,   // exposed ports of all slivers of one node
    HS_MAX_PEERS = 16384,
    HS_MAX_GUARDED = 64,
    HS_MAX_BINDINGS = 1000000,
    HS_MAX_CARE_OF_SETS = 65536,  // home addresses with more than one care-of address
    HS_FLOWS_HOME_AGENT = 262144,
    HS_FLOWS_ACCESS_GATEWAY = 16384,
    HS_UDP_FLOWS = 65536,
};

// Flow label (RFC 6438): the low 19 bits spread flows over paths. The top bit is ours: an access gateway sets it when
// it sends on what reached it for a sliver that has left; a second such node drops the packet, so it cannot circle.
#define HS_FLOW_LABEL_SPREAD 0x7ffffu
#define HS_FLOW_LABEL_RELAYED 0x80000u

struct hs_address {
    __u32 words[4];
};

enum {
    HS_NODE_HOME_AGENT = 1,      // this node is the home agent of the home prefix
    HS_NODE_HAS_PREFIX = 2,      // home_prefix and home_prefix_mask are set
    HS_NODE_HAS_HOME_AGENT = 4,  // home_agent is set
};

// The one element of `node`.
struct hs_node {
    struct hs_address care_of;
    struct hs_address home_prefix;
    struct hs_address home_prefix_mask;
    struct hs_address home_agent;
    __u32 uplink;      // interface index
    __u32 sliver_mtu;  // the uplink's less the tunnel's overhead
    __u32 flags;       // HS_NODE_*
    __u32 reserved;
};

enum {
    HS_PORT_QUEUED = 1,  // what the sliver receives waits in the host end's queue
};

// Value of `ports`, key: interface index of the host end of the veth pair.
struct hs_port {
    struct hs_address home_address;
    struct hs_address slice_address;
    __u8 host_mac[6];
    __u8 sliver_mac[6];
    __u32 flags;  // HS_PORT_*
};

// Key of `exposed`.
struct hs_exposed {
    __u32 port_link;  // interface index
    __be16 port;
    __u8 protocol;
    __u8 reserved;
};

// Value of `local_slivers`, key: home address or slice address.
struct hs_local {
    __u32 count;
    __u32 links[HS_MAX_LOCAL];  // interface indices
};

// Value of `bindings`, key: home address. With count above one `care_of_sets` holds them all.
struct hs_binding {
    __u32 count;
    struct hs_address care_of;
};

struct hs_care_of {
    struct hs_address address;
    __u32 seed;  // its part in the rendezvous hash; differs between equal addresses, so that they weigh double
};

struct hs_care_of_set {
    __u32 count;
    struct hs_care_of members[HS_MAX_CARE_OF];
};

// Value of `binding_counters`, key: home address.
struct hs_binding_counters {
    __u64 packets;
    __u64 bytes;
};

// A flow as its packets towards the home address carry it. ICMPv6 echo: both ports are the identifier. Fragments: no
// ports and protocol 0, so that all of a packet meet.
struct hs_flow {
    struct hs_address source;
    struct hs_address destination;
    __be16 source_port;
    __be16 destination_port;
    __u8 protocol;
    __u8 reserved[3];
};

// Key of `saved_bindings`, the home agent's memory across a restart of noded.
struct hs_saved_key {
    struct hs_address home_address;
    __u16 binding_id;  // host byte order
    __u16 reserved;
};

struct hs_saved_binding {
    __u64 generation;
    __u64 registered_us;  // since the Unix epoch
    struct hs_address care_of;
    __u32 lifetime_s;  // 0: deregistered, kept for its generation
    __u16 sequence;
    __u16 reserved;
};

// Indices of `counters`.
enum hs_counter {
    HS_ENCAPSULATED_PACKETS,
    HS_ENCAPSULATED_BYTES,
    HS_DECAPSULATED_PACKETS,
    HS_DECAPSULATED_BYTES,
    HS_LOCAL_PACKETS,
    HS_DROPPED_SPOOFED_SOURCE,
    HS_DROPPED_UNTRUSTED_TUNNEL,
    HS_DROPPED_NOT_EXPOSED,
    HS_DROPPED_NO_SLIVER,
    HS_DROPPED_MALFORMED,
    HS_PACKET_TOO_BIG,
    HS_COUNTERS,
};

#ifdef __cplusplus
#define HS_STATIC_ASSERT(condition) static_assert(condition, #condition)
#else
#define HS_STATIC_ASSERT(condition) _Static_assert(condition, #condition)
#endif

HS_STATIC_ASSERT(sizeof(struct hs_address) == 16);
HS_STATIC_ASSERT(sizeof(struct hs_node) == 80);
HS_STATIC_ASSERT(sizeof(struct hs_port) == 48);
HS_STATIC_ASSERT(sizeof(struct hs_exposed) == 8);
HS_STATIC_ASSERT(sizeof(struct hs_local) == 4 + 4 * HS_MAX_LOCAL);
HS_STATIC_ASSERT(sizeof(struct hs_binding) == 20);
HS_STATIC_ASSERT(sizeof(struct hs_care_of_set) == 4 + 20 * HS_MAX_CARE_OF);
HS_STATIC_ASSERT(sizeof(struct hs_binding_counters) == 16);
HS_STATIC_ASSERT(sizeof(struct hs_flow) == 40);
HS_STATIC_ASSERT(sizeof(struct hs_saved_key) == 20);
HS_STATIC_ASSERT(sizeof(struct hs_saved_binding) == 40);
