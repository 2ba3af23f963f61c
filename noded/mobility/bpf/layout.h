// What the BPF programs and the Forwarder share: keys and values of the maps, counters, constants. Plain C, because
// both sides compile it. Addresses are in network byte order; ports too, unless said otherwise. IPv4 addresses of the
// underlay are IPv4-mapped ones (RFC 4291 2.5.5.2).
//
// A change to any of this makes pinned maps of an older noded unusable: raise HS_LAYOUT_VERSION with it.
#pragma once

#include <linux/types.h>

#define HS_LAYOUT_VERSION 8

enum {
    HS_TUNNEL_OVERHEAD = 40,  // one IPv6 header (RFC 2473)
    // One IPv4 header (RFC 4213 3), and room for one of UDP: what moves behind a NAT and back keeps its MTU.
    HS_TUNNEL_OVERHEAD_IPV4 = 28,
    HS_UDP_TUNNEL_PORT = 4191,  // DSMIPv6's (RFC 5555 9), at both ends until a NAT translates one
    HS_TUNNEL_HOP_LIMIT = 64,
    HS_PATH_MTUS = 4096,
    HS_NEXT_HOPS = 4096,
    HS_PATHS = 1024,       // of each processor
    HS_MAX_MEMBERS = 128,  // that share the flows of one home address
    HS_MAX_TURNS = 512,
    HS_MAX_PORTS = 4096,     // slivers of one node
    HS_MAX_EXPOSED = 65536,  // exposed ports of all slivers of one node
    HS_MAX_PEERS = 16384,
    HS_MAX_GUARDED = 64,
    HS_MAX_BINDINGS = 1000000,
    HS_LINE_BINDINGS = 7,
    HS_BINDING_LINES_LOG = 18,
    HS_BINDING_LINES = 1 << HS_BINDING_LINES_LOG,  // on home agents
    HS_LINES_OF_A_PAGE = 64,
    HS_DISPLACEMENTS_LOG = 16,
    HS_DISPLACEMENTS = 1 << HS_DISPLACEMENTS_LOG,
    HS_LINE_DISPLACEMENTS = 64,
    HS_DISPLACEMENT_LINES = HS_DISPLACEMENTS / HS_LINE_DISPLACEMENTS,
    HS_CARE_OFS = 16384,  // that bindings in lines may have
    HS_MAX_SETS = 65536,                                               // home addresses that several share
    HS_FLOWS_HOME_AGENT = 262144,
    HS_FLOWS_ACCESS_GATEWAY = 32768,
    HS_FRAGMENTED = 4096,
    HS_BEGUN_FLOWS = 65536,
    HS_MAX_NAT_BINDINGS = 16384,     // nodes behind NATs
    HS_CHOSEN_FLOWS_BYTES = 524288,  // of the ring buffer, on home agents
    HS_SMALLEST_RING_BYTES = 65536,  // at least a page, whatever its size
};

// skb->mark of packets that the kernel shall answer with an ICMPv6 error; the low half is the MTU that it shall name.
#define HS_KERNEL_MARK 0x48530000u
#define HS_KERNEL_MARK_MASK 0xffff0000u

// skb->mark of what slivers begin with hosts outside under their node's addresses (outbound.cpp).
#define HS_OUTBOUND_MARK 0x48540000u

// The IPv4 addresses of slivers (of RFC 6598's shared space), which nobody but their node ever sees.
#define HS_SLIVER_IPV4 0x64400000u  // 100.64.0.0, host byte order
#define HS_SLIVER_IPV4_LENGTH 16

// Flow label (RFC 6438): the low 19 bits spread flows over paths. The top bit is ours: an access gateway sets it when
// it sends on what reached it for a sliver that has left; a second such node drops the packet, so it cannot circle.
#define HS_FLOW_LABEL_SPREAD 0x7ffffu
#define HS_FLOW_LABEL_RELAYED 0x80000u
// The same in IPv4, which has no flow label: the top bit of an identification that means nothing, for nobody may
// fragment the packet.
#define HS_IDENTIFICATION_RELAYED 0x8000u

// A care-of address is an IPv6 one, an IPv4-mapped one, or that of a node behind a NAT (base/nat.h): an IPv4-mapped one
// but for the second word, which is not 0.
struct hs_address {
    __u32 words[4];
};

// As an Ethernet header begins.
struct hs_link_addresses {
    __u8 destination[6];
    __u8 source[6];
};

// Where a NAT shows a node, as its keepalives come (RFC 5555 5.4.1). Value of `nat_bindings` (key: care-of address) and
// key of `nat_peers` (value: care-of address).
struct hs_nat_binding {
    __be32 address;
    __be16 port;
    __u16 reserved;
};

enum {
    HS_NODE_HOME_AGENT = 1,      // this node is the home agent of the home prefix
    HS_NODE_HAS_PREFIX = 2,      // home_prefix and home_prefix_mask are set
    HS_NODE_HAS_HOME_AGENT = 4,  // home_agent is set
    HS_NODE_REVERSE_TUNNEL = 8,  // what slivers send to other than home addresses goes through the home agent
    HS_NODE_OUTBOUND = 16,       // what they begin with hosts outside goes out under the node's addresses
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
    __u32 narrow;      // `path_mtus` has something
    __u32 overhead;    // of the tunnel: length of its outer headers
};

enum {
    HS_PORT_QUEUED = 1,  // what the sliver receives waits in the host end's queue
};

// Value of `ports`, key: interface index of the host end of the veth pair.
struct hs_port {
    struct hs_address home_address;
    struct hs_address slice_address;
    struct hs_link_addresses link_addresses;  // of what the sliver gets: to its own end from the host's
    __u32 flags;                              // HS_PORT_*
    __be32 ipv4_address;                      // the sliver's, known to this node alone; 0: none
};

// Value of `path_mtus`, key: care-of address.
struct hs_path_mtu {
    __u64 learned_ns;  // monotonic
    __u32 mtu;         // of the whole packet
    __u32 reserved;
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
    __u32 link;    // interface index
    __u32 shared;  // several may have it: see `sets`
};

// What was forwarded so far.
struct hs_counts {
    __u64 packets;
    __u64 bytes;  // without the tunnel's header
};

// Value of `bindings`, key: home address. One element has all that a packet needs of its binding: with a million of
// them each further one would be a miss in the processor's caches.
struct hs_binding {
    struct hs_counts counts;  // while it is not shared
    struct hs_address care_of;
    __u32 shared;  // several may have it: see `sets`, `shared_counts`
    __u32 reserved;
};

// Bindings of neighbouring home addresses (binding_lines.h).
struct hs_binding_line {
    __u64 group;  // whose line it is; 0: nobody's
    __u64 words[HS_LINE_BINDINGS];
};

// How far the lines of a bucket of groups are from where they would be by their groups alone.
struct hs_displacements {
    __u8 of[HS_LINE_DISPLACEMENTS];
};

// Key of `shared_counts`: a binding of a home address that several share; the value is a hs_counts.
struct hs_shared_key {
    struct hs_address home_address;
    __u32 id;  // binding id
};

enum hs_scope {
    HS_SCOPE_CARE_OF,  // among care-of addresses
    HS_SCOPE_LOCAL,    // among the slivers of this node
};

// Key of `sets`.
struct hs_set_key {
    struct hs_address home_address;
    __u32 scope;  // enum hs_scope
};

// One of those that share the flows of a home address.
struct hs_member {
    struct hs_address care_of;  // of HS_SCOPE_CARE_OF
    __u32 link;                 // of HS_SCOPE_LOCAL: interface index
    __u32 id;                   // binding id: the flows of a member are its own wherever it is
    __u16 weight;               // its share of new flows; 0: none
    __u16 report;               // tells one word of its load from the next
    __u32 load;                 // connections that it had when it last said so
};

enum hs_balance {
    HS_BALANCE_HASH,
    HS_BALANCE_TURNS,
    HS_BALANCE_LOAD,
};

// Value of `sets`.
struct hs_set {
    __u32 count;
    __u32 balance;                // enum hs_balance
    __u32 equal;                  // all that take new flows have the same weight
    __u32 turns;                  // entries of `schedule`
    __u8 schedule[HS_MAX_TURNS];  // places in `members`, in the order of their turns
    struct hs_member members[HS_MAX_MEMBERS];
};

// Value of `set_states`, key: as of `sets`. Only for those whose balance needs it.
struct hs_set_state {
    __u64 turn;
    __u32 given[HS_MAX_MEMBERS];  // flows since the member last told its load, by place
};

// Value of `flows`: whose the flow is.
struct hs_chosen {
    __u32 id;
    __u32 place;  // where it was in `members`
};

// A flow as its packets towards the home address carry it. ICMPv6 echo: both ports are the identifier. Fragments: no
// ports and protocol 0, so that all of a packet take one path.
struct hs_flow {
    struct hs_address source;
    struct hs_address destination;
    __be16 source_port;
    __be16 destination_port;
    __u8 protocol;
    __u8 scope;  // enum hs_scope; only in the key of `flows`
    __u8 reserved[2];
};

// A record of `chosen_flows`: what a home agent tells the others of a choice that it made.
struct hs_chosen_flow {
    struct hs_flow flow;
    __u32 id;  // binding id
    __u32 reserved;
};

// Key of `fragmented`: the packets that come in fragments; the value is a hs_flow.
struct hs_fragmented {
    struct hs_address source;
    struct hs_address destination;
    __be32 identification;
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
    __u16 weight;
    __u8 priority;
    __u8 draining;
    __u8 balance;  // the value of Balance
    __u8 reserved[5];
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
    HS_PATH_MTU_CHANGES,
    HS_COUNTERS,
};

#ifdef __cplusplus
#define HS_STATIC_ASSERT(condition) static_assert(condition, #condition)
#else
#define HS_STATIC_ASSERT(condition) _Static_assert(condition, #condition)
#endif

HS_STATIC_ASSERT(sizeof(struct hs_address) == 16);
HS_STATIC_ASSERT(sizeof(struct hs_link_addresses) == 12);
HS_STATIC_ASSERT(sizeof(struct hs_nat_binding) == 8);
HS_STATIC_ASSERT(sizeof(struct hs_node) == 84);
HS_STATIC_ASSERT(sizeof(struct hs_path_mtu) == 16);
HS_STATIC_ASSERT(sizeof(struct hs_port) == 52);
HS_STATIC_ASSERT(sizeof(struct hs_exposed) == 8);
HS_STATIC_ASSERT(sizeof(struct hs_local) == 8);
HS_STATIC_ASSERT(sizeof(struct hs_binding) == 40);
HS_STATIC_ASSERT(sizeof(struct hs_binding_line) == 64);
HS_STATIC_ASSERT(sizeof(struct hs_displacements) == 64);
HS_STATIC_ASSERT(sizeof(struct hs_shared_key) == 20);
HS_STATIC_ASSERT(sizeof(struct hs_set_key) == 20);
HS_STATIC_ASSERT(sizeof(struct hs_member) == 32);
HS_STATIC_ASSERT(sizeof(struct hs_set) == 16 + HS_MAX_TURNS + 32 * HS_MAX_MEMBERS);
HS_STATIC_ASSERT(sizeof(struct hs_set_state) == 8 + 4 * HS_MAX_MEMBERS);
HS_STATIC_ASSERT(sizeof(struct hs_fragmented) == 36);
HS_STATIC_ASSERT(sizeof(struct hs_flow) == 40);
HS_STATIC_ASSERT(sizeof(struct hs_chosen_flow) == 48);
HS_STATIC_ASSERT(sizeof(struct hs_saved_key) == 20);
HS_STATIC_ASSERT(sizeof(struct hs_saved_binding) == 48);
