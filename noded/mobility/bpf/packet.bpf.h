// Reads an IPv6 packet up to its transport ports. Everything is read with bpf_skb_load_bytes(), which bounds-checks and
// copes with data in fragments of the socket buffer.
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>

#include "noded/mobility/bpf/load.bpf.h"
#include "noded/mobility/bpf/maps.bpf.h"
#include "noded/mobility/bpf/rendezvous.h"

enum {
    HEADER_HOP_BY_HOP = 0,
    HEADER_ROUTING = 43,
    HEADER_FRAGMENT = 44,
    HEADER_DESTINATION = 60,
    MAX_EXTENSION_HEADERS = 8,

    ICMPV6_FIRST_INFORMATIONAL = 128,
    ICMPV6_ECHO_REQUEST_TYPE = 128,
    ICMPV6_ECHO_REPLY_TYPE = 129,
    ICMPV6_NEIGHBOUR_SOLICITATION = 135,
    ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,

    TCP_FLAG_SYN_BIT = 0x02,
    TCP_FLAG_ACK_BIT = 0x10,
};

struct packet {
    struct hs_address source;
    struct hs_address destination;
    struct hs_flow flow;  // what the choice of a care-of address or sliver hangs on
    __be16 source_port;   // ICMPv6 echo: both ports are the identifier
    __be16 destination_port;
    __u8 protocol;
    __u8 hop_limit;
    __u8 traffic_class;
    __u8 tcp_flags;
    __u8 icmp_type;
    __u8 fragment;
    __u8 later_fragment;  // has no transport header
    __u8 quotes;          // an ICMPv6 error: `flow` is that of the packet that it quotes
    __be32 fragment_identification;
    __u32 header_length;  // IPv6 header to the end of the transport header; 0 for other than TCP and UDP
};

static __always_inline int sameAddress(const struct hs_address* a, const struct hs_address* b) {
    return a->words[0] == b->words[0] && a->words[1] == b->words[1] && a->words[2] == b->words[2] &&
           a->words[3] == b->words[3];
}

static __always_inline int sameMac(const __u8* a, const __u8* b) {
    __u8 differs = 0;
#pragma unroll
    for (int i = 0; i < ETH_ALEN; i++) differs |= a[i] ^ b[i];
    return differs == 0;
}

// Behind a NAT or not.
static __always_inline int isIpv4(const struct hs_address* address) {
    return !address->words[0] && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline int isBehindNat(const struct hs_address* address) {
    return isIpv4(address) && address->words[1];
}

static __always_inline struct hs_address mappedAddress(__be32 ipv4) {
    const struct hs_address result = {.words = {0, 0, bpf_htonl(0xffff), ipv4}};
    return result;
}

static __always_inline int sameSlice(const struct packet* packet) {
    return packet->source.words[0] == packet->destination.words[0] &&
           packet->source.words[1] == packet->destination.words[1];
}

static __always_inline int isLinkLocal(const struct hs_address* address) {
    return (address->words[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline int isMulticast(const struct hs_address* address) {
    return (address->words[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

static __always_inline int isUnspecified(const struct hs_address* address) {
    return !(address->words[0] | address->words[1] | address->words[2] | address->words[3]);
}

static __always_inline int isLinkScope(const struct packet* packet) {
    return isMulticast(&packet->destination) || isLinkLocal(&packet->destination) || isLinkLocal(&packet->source) ||
           isUnspecified(&packet->source);
}

static __always_inline __u8 trafficClass(const struct ipv6hdr* header) {
    return (header->priority << 4) | (header->flow_lbl[0] >> 4);
}

static __always_inline __u32 hashWords(const __u32* words, int from, int to, __u32 hash) {
#pragma unroll
    for (int i = from; i < to; i++) hash = mix(hash, words[i]);
    return hash;
}

enum {
    FLOW_ADDRESS_WORDS = 2 * sizeof(struct hs_address) / sizeof(__u32),
    FLOW_WORDS = sizeof(struct hs_flow) / sizeof(__u32),
};

__noinline __u32 hashFlow(const struct hs_flow* flow) {
    return flow ? hashWords((const __u32*)flow, 0, FLOW_WORDS, 0) : 0;
}

// The same in two steps: the first is that of all flows between two addresses.
static __always_inline __u32 hashAddresses(const struct hs_flow* flow) {
    return hashWords((const __u32*)flow, 0, FLOW_ADDRESS_WORDS, 0);
}

static __always_inline __u32 hashPorts(const struct hs_flow* flow, __u32 addresses) {
    return hashWords((const __u32*)flow, FLOW_ADDRESS_WORDS, FLOW_WORDS, addresses);
}

static __always_inline int isLaterFragment(const __u8* header) { return header[2] != 0 || (header[3] & 0xf8) != 0; }

// An ICMPv6 error belongs to the flow of the packet that it quotes, seen from the other side. Errors that quote less
// than that are a flow of their own.
static __always_inline void readQuotedFlow(struct __sk_buff* skb, __u32 offset, struct hs_flow* flow) {
    struct ipv6hdr quoted;
    __be16 ports[2] FOR_LOADING = {};
    __u8 fragment[8] FOR_LOADING;
    if (load(skb, offset, &quoted, sizeof(quoted)) || quoted.version != 6) return;
    __builtin_memcpy(&flow->source, &quoted.daddr, sizeof(flow->source));
    __builtin_memcpy(&flow->destination, &quoted.saddr, sizeof(flow->destination));
    offset += sizeof(quoted);
    __u8 next = quoted.nexthdr;
    if (next == HEADER_FRAGMENT && !load(skb, offset, fragment, sizeof(fragment))) {
        if (isLaterFragment(fragment)) return;
        offset += sizeof(fragment);
        next = fragment[0];
    }
    flow->protocol = next;
    if (next == IPPROTO_ICMPV6) {
        if (!load(skb, offset + 4, ports, sizeof(ports[0]))) ports[1] = ports[0];
    } else if (next == IPPROTO_TCP || next == IPPROTO_UDP) {
        load(skb, offset, ports, sizeof(ports));
    }
    flow->source_port = ports[1];
    flow->destination_port = ports[0];
}

__noinline int readTransport(struct __sk_buff* skb, __u32 start, __u32 offset, struct packet* packet) {
    __u8 header[20] FOR_LOADING;
    if (!packet) return -1;
    switch (packet->protocol) {
        case IPPROTO_TCP:
            if (load(skb, offset, header, 20)) return -1;
            packet->tcp_flags = header[13];
            packet->header_length = offset - start + (header[12] >> 4) * 4;
            break;
        case IPPROTO_UDP:
            if (load(skb, offset, header, 8)) return -1;
            packet->header_length = offset - start + 8;
            break;
        case IPPROTO_ICMPV6:
            if (load(skb, offset, header, 8)) return -1;
            packet->icmp_type = header[0];
            if (packet->icmp_type < ICMPV6_FIRST_INFORMATIONAL) {
                packet->quotes = 1;
                readQuotedFlow(skb, offset + 8, &packet->flow);
                return 0;
            }
            if (packet->icmp_type > ICMPV6_ECHO_REPLY_TYPE) return 0;
            __builtin_memcpy(header, header + 4, 2);
            __builtin_memcpy(header + 2, header, 2);
            break;
        default:
            return 0;
    }
    __builtin_memcpy(&packet->source_port, header, 2);
    __builtin_memcpy(&packet->destination_port, header + 2, 2);
    if (!packet->fragment) {
        packet->flow.source_port = packet->source_port;
        packet->flow.destination_port = packet->destination_port;
    }
    return 0;
}

static __always_inline int isExtension(__u8 header) {
    return header == HEADER_HOP_BY_HOP || header == HEADER_ROUTING || header == HEADER_DESTINATION ||
           header == HEADER_FRAGMENT;
}

// Fills `packet` from the IPv6 header at `start`. Negative when it is no sound IPv6 packet: truncated, more extension
// headers than anyone sends, or a first fragment without its transport header (RFC 7112).
__noinline int readPacket(struct __sk_buff* skb, __u32 start, struct packet* packet) {
    struct ipv6hdr header;
    __u8 extension[8] FOR_LOADING;
    if (!packet || load(skb, start, &header, sizeof(header)) || header.version != 6) return -1;
    __builtin_memset(packet, 0, sizeof(*packet));
    __builtin_memcpy(&packet->source, &header.saddr, sizeof(packet->source));
    __builtin_memcpy(&packet->destination, &header.daddr, sizeof(packet->destination));
    packet->flow.source = packet->source;
    packet->flow.destination = packet->destination;
    packet->hop_limit = header.hop_limit;
    packet->traffic_class = trafficClass(&header);

    __u8 next = header.nexthdr;
    __u32 offset = start + sizeof(header);
    for (int i = 0; i < MAX_EXTENSION_HEADERS && isExtension(next) && !packet->later_fragment; i++) {
        if (load(skb, offset, extension, sizeof(extension))) return -1;
        if (next == HEADER_FRAGMENT) {
            packet->fragment = 1;
            packet->later_fragment = isLaterFragment(extension);
            __builtin_memcpy(&packet->fragment_identification, extension + 4, 4);
            offset += 8;
        } else {
            offset += (extension[1] + 1) * 8;
        }
        next = extension[0];
    }
    packet->protocol = next;
    if (packet->later_fragment) return 0;
    if (isExtension(next)) return -1;
    if (!packet->fragment) packet->flow.protocol = next;
    return readTransport(skb, start, offset, packet);
}
