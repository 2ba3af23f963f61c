#include "noded/mobility/care_of_view.h"

#include <utility>

namespace homeslice::mobility {

std::set<Ipv6Address> CareOfView::apply(const BindingEvent& event) {
    const BindingKey& key = event.binding.key;
    switch (event.kind) {
        case BindingEvent::Kind::bound:
            bindings_[key] = event.binding;
            named_.insert(key);
            return {key.home_address};
        case BindingEvent::Kind::unbound:
            bindings_.erase(key);
            named_.erase(key);
            return {key.home_address};
        case BindingEvent::Kind::snapshot_end:
            return endSnapshot();
        case BindingEvent::Kind::role:
            break;
    }
    return {};
}

std::set<Ipv6Address> CareOfView::endSnapshot() {
    std::set<Ipv6Address> gone;
    const std::set<BindingKey> named = std::exchange(named_, {});
    for (auto entry = bindings_.begin(); entry != bindings_.end();) {
        if (named.contains(entry->first)) {
            ++entry;
        } else {
            gone.insert(entry->first.home_address);
            entry = bindings_.erase(entry);
        }
    }
    return gone;
}

std::vector<Binding> mergedBindings(const std::vector<const CareOfView*>& views, const Ipv6Address& home_address) {
    std::map<BindingKey, Binding> merged;
    for (const CareOfView* view : views) {
        const auto& bindings = view->bindings();
        for (auto entry = bindings.lower_bound({.home_address = home_address, .binding_id = 0});
             entry != bindings.end() && entry->first.home_address == home_address; ++entry) {
            const auto [place, inserted] = merged.emplace(*entry);
            if (!inserted && place->second.generation < entry->second.generation) place->second = entry->second;
        }
    }
    std::vector<Binding> result;
    result.reserve(merged.size());
    for (const auto& [key, binding] : merged) result.push_back(binding);
    return result;
}

}  // namespace homeslice::mobility
