// The names of all slices and slivers, which the controller tells every node: INDEX.SLICE.DOMAIN and SLICE.DOMAIN.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/ipv6.h"

namespace homeslice {

// Slivers with consecutive indices, each address one above the one before: a slice that has lost none is one run.
struct SliverNames {
    uint32_t index = 0;  // of the first
    uint32_t count = 1;
    Ipv6Address address{};  // of the first

    // `nth` from 0.
    Ipv6Address addressOf(uint32_t nth) const { return address.withInterfaceId(address.interfaceId() + nth); }
    bool operator==(const SliverNames&) const = default;
};

struct SliceNames {
    std::string slice;
    Ipv6Address address;               // the slice's own
    std::string owner;                 // user; empty: the administrators'
    std::vector<SliverNames> slivers;  // by index

    bool operator==(const SliceNames&) const = default;
};

struct NameTable {
    uint64_t serial = 0;  // grows with each change
    std::string domain;   // "slivers.internal"
    Ipv6Prefix home_prefix;
    std::vector<SliceNames> slices;   // by name
    uint64_t since = 0;               // not 0: `slices` are those that differ from the table of that serial
    std::vector<std::string> gone{};  // with since: slices that have no names any more

    bool operator==(const NameTable&) const = default;
};

// Where the nodes' resolvers answer slivers: PREFIX::53, in the /64 of the prefix that no slice gets. The same on every
// node, so that a sliver's resolv.conf is right wherever it goes.
Ipv6Address resolverAddress(const Ipv6Prefix& home_prefix);

// INVALID_ARGUMENT unless it is DNS labels of lower-case letters, digits and hyphens, at least two and 200 bytes at
// most: as the name of slices' parent it must not be a top level domain, nor too long for what is put before it.
absl::Status checkNameDomain(const std::string& domain);

}  // namespace homeslice
