#include "controller/core/names.h"

#include <algorithm>

#include "controller/addresses/addresses.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMaxSearchDomains = 6;  // MAXDNSRCH of resolv.h; nodes refuse more

SliceNames namesOf(const World& world, const Slice& slice) {
    SliceNames names;
    names.slice = slice.name;
    names.address = sliceAddress(world.home_prefix, slice.number);
    names.owner = slice.owner;
    for (auto entry = world.snapshot.slivers.lower_bound({slice.name, 0});
         entry != world.snapshot.slivers.end() && entry->first.slice == slice.name; ++entry) {
        const uint32_t index = entry->first.index;
        if (!names.slivers.empty() && names.slivers.back().index + names.slivers.back().count == index) {
            names.slivers.back().count += 1;
            continue;
        }
        names.slivers.push_back(
            {.index = index, .count = 1, .address = sliverAddress(world.home_prefix, slice.number, index)});
    }
    return names;
}

NameTable emptyTable(const World& world, uint64_t serial) {
    NameTable table;
    table.serial = serial;
    table.domain = world.domain;
    table.home_prefix = world.home_prefix;
    return table;
}

}  // namespace

NameTable namesOf(const World& world, uint64_t serial) {
    NameTable table = emptyTable(world, serial);
    for (const auto& [name, slice] : world.snapshot.slices) {
        if (!slice.deleting) table.slices.push_back(namesOf(world, slice));
    }
    return table;
}

NameTable changedNames(const World& world, uint64_t serial, uint64_t since, const std::vector<std::string>& slices) {
    NameTable table = emptyTable(world, serial);
    table.since = since;
    for (const std::string& name : slices) {
        const auto slice = world.snapshot.slices.find(name);
        if (slice == world.snapshot.slices.end() || slice->second.deleting) {
            table.gone.push_back(name);
        } else {
            table.slices.push_back(namesOf(world, slice->second));
        }
    }
    return table;
}

void fillResolver(Resolver& resolver, const Ipv6Prefix& home_prefix, const std::string& domain) {
    if (!resolver.servers.empty()) return;
    resolver.servers = {resolverAddress(home_prefix).toString()};
    const bool searched = std::find(resolver.search.begin(), resolver.search.end(), domain) != resolver.search.end();
    if (!searched && resolver.search.size() < kMaxSearchDomains) resolver.search.push_back(domain);
}

}  // namespace homeslice::controller
