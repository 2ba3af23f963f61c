#include "controller/core/names.h"

#include <algorithm>

#include "controller/addresses/addresses.h"

namespace homeslice::controller {
namespace {

constexpr size_t kMaxSearchDomains = 6;  // MAXDNSRCH of resolv.h; nodes refuse more

}  // namespace

NameTable namesOf(const Snapshot& snapshot, const Ipv6Prefix& home_prefix, const std::string& domain) {
    NameTable table{.serial = snapshot.revision, .domain = domain, .home_prefix = home_prefix, .slices = {}};
    for (const auto& [name, slice] : snapshot.slices) {
        if (slice.deleting) continue;
        SliceNames& names = table.slices.emplace_back();
        names.slice = name;
        names.address = sliceAddress(home_prefix, slice.number);
        names.owner = slice.owner;
        for (auto entry = snapshot.slivers.lower_bound({name, 0});
             entry != snapshot.slivers.end() && entry->first.slice == name; ++entry) {
            const uint32_t index = entry->first.index;
            names.slivers.push_back({.index = index, .address = sliverAddress(home_prefix, slice.number, index)});
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
