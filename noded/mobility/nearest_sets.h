// Sets with Balance::nearest: whose members are near enough for flows that begin. Distances are round trips from this
// node, as noded measures them (round_trips.h), so each node has its own idea of who is near. A pure state machine.
// Threads: one caller at a time.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ipv6.h"
#include "noded/mobility/care_of.h"

namespace homeslice::mobility {

class NearestSets {
public:
    using RoundTrip = std::chrono::microseconds;

    // What the data plane is to have for `home_address`: of a set with Balance::nearest, those that are farther than
    // others take no new flow. Near are the nearest one and all that are about as near; one that is near stays so until
    // it is clearly farther, so that noise does not move anybody. While nothing was measured, all are near. Empty sets
    // are forgotten.
    CareOfSet set(const Ipv6Address& home_address, const CareOfSet& care_of);

    // Whose distance counts now. What was measured of others is forgotten.
    std::vector<Ipv6Address> addresses();

    using Change = std::pair<Ipv6Address, CareOfSet>;
    // Nothing: no answer comes, so it is near to nobody as long as others answer. Returns the sets that change by it.
    std::vector<Change> measured(const Ipv6Address& care_of_address, std::optional<RoundTrip> round_trip);

    std::optional<RoundTrip> roundTripTo(const Ipv6Address& care_of_address) const;

private:
    struct Entry {
        CareOfSet whole;
        std::set<Ipv6Address> near;
    };

    void forget(const Ipv6Address& home_address);
    std::set<Ipv6Address> nearOf(const Entry& entry) const;
    std::optional<RoundTrip> leastOf(const std::set<Ipv6Address>& candidates) const;
    std::set<Ipv6Address> answering(const std::set<Ipv6Address>& candidates) const;

    std::map<Ipv6Address, Entry> sets_;                            // by home address
    std::map<Ipv6Address, std::set<Ipv6Address>> homes_;           // by care-of address, those that it serves
    std::map<Ipv6Address, std::optional<RoundTrip>> round_trips_;  // of care-of addresses
};

}  // namespace homeslice::mobility
