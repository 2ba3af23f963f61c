// What the home agents say about where home addresses are: one view for each, merged. The access gateway's picture for
// route optimization. Threads: one caller at a time.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "noded/mobility/binding.h"

namespace homeslice::mobility {

// One home agent's bindings as its events tell them.
class CareOfView {
public:
    // A snapshot begins: what it does not name is gone when it ends.
    void beginSnapshot() { named_.clear(); }
    // The home addresses that the event concerns.
    std::set<Ipv6Address> apply(const BindingEvent& event);
    const std::map<BindingKey, Binding>& bindings() const { return bindings_; }

private:
    std::set<Ipv6Address> endSnapshot();

    std::map<BindingKey, Binding> bindings_;
    std::set<BindingKey> named_;  // since the snapshot began
};

// The bindings of `home_address` in all views; where they disagree about a key the highest generation wins.
std::vector<Binding> mergedBindings(const std::vector<const CareOfView*>& views, const Ipv6Address& home_address);

}  // namespace homeslice::mobility
