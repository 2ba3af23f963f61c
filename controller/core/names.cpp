#include "controller/core/names.h"

#include <algorithm>

#include "controller/addresses/addresses.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMaxSearchDomains = 6;  // MAXDNSRCH of resolv.h; nodes refuse more

}  // namespace

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

void fillResolver(Resolver& resolver, const Ipv6Prefix& home_prefix, const std::string& domain) {
    if (!resolver.servers.empty()) return;
    resolver.servers = {resolverAddress(home_prefix).toString()};
    const bool searched = std::find(resolver.search.begin(), resolver.search.end(), domain) != resolver.search.end();
    if (!searched && resolver.search.size() < kMaxSearchDomains) resolver.search.push_back(domain);
}

}  // namespace homeslice::controller
