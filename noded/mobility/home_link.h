// What draws the packets for home addresses to the home agent in charge: an address that all home agents of a prefix
// share, to which routers send the prefix's packets. The kernel holds it for two seconds at a time, so that it goes
// away with a noded that has died, too. Threads: one caller at a time.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/ipv6.h"
#include "noded/mobility/election.h"
#include "noded/sys/neighbour_discovery.h"
#include "noded/sys/netlink.h"

namespace homeslice::mobility {

class HomeLink {
public:
    struct Config {
        std::string link;
        Ipv6Address shared_address;
    };
    // On a link of the caller's network namespace. Changes nothing yet.
    static absl::StatusOr<std::unique_ptr<HomeLink>> open(const Config& config);

    // Takes the address and tells all neighbours (override neighbour advertisement), keeps it, or gives it up. To be
    // repeated at least once a second while in charge.
    absl::Status settle(const HomeAgentRole& role);

private:
    HomeLink(const Config& config, const sys::Link& link, sys::Netlink netlink, sys::NeighbourDiscovery discovery)
        : config_(config), link_(link), netlink_(std::move(netlink)), discovery_(std::move(discovery)) {}

    absl::Status hold(Monotonic::time_point now);

    const Config config_;
    const sys::Link link_;
    sys::Netlink netlink_;
    sys::NeighbourDiscovery discovery_;
    std::optional<uint64_t> held_term_;
    Monotonic::time_point taken_;
    Monotonic::time_point leased_;
};

}  // namespace homeslice::mobility
