#include "noded/audit/owners.h"

#include <set>

namespace homeslice::audit {
namespace {

constexpr std::chrono::minutes kRemembered{10};

}  // namespace

void Owners::set(const NameTable& table, Monotonic::time_point now) {
    std::set<Ipv6Address> present;
    for (const SliceNames& slice : table.slices) {
        for (const SliverNames& run : slice.slivers) {
            for (uint32_t nth = 0; nth < run.count; ++nth) {
                const Ipv6Address address = run.addressOf(nth);
                entries_[address] = {.owner = {.sliver = {slice.slice, run.index + nth}, .user = slice.owner}};
                present.insert(address);
            }
        }
    }
    for (auto& [address, entry] : entries_) {
        if (!present.contains(address) && !entry.gone) entry.gone = now;
    }
    std::erase_if(entries_,
                  [now](const auto& entry) { return entry.second.gone && now - *entry.second.gone > kRemembered; });
}

std::optional<Owner> Owners::find(const Ipv6Address& home_address) const {
    const auto found = entries_.find(home_address);
    if (found == entries_.end()) return std::nullopt;
    return found->second.owner;
}

}  // namespace homeslice::audit
