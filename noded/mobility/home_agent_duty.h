// What a home agent does besides keeping bindings, being one of several for its prefix: agrees who is in charge
// (HomeAgentGroup), draws the prefix's packets while it is (HomeLink, the announced route), and tells the nodes.
// Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"

namespace homeslice::mobility {

class HomeAgentDuty {
public:
    struct Config {
        std::string link;   // of the underlay
        Ipv6Address self;   // on it
        uint16_t port = 0;  // UDP, for the other home agents
        std::optional<Ipv6Address> shared_address;
        uint8_t priority = 100;
        std::chrono::milliseconds interval{150};
        bool active_active = false;  // all are in charge: routers spread the prefix's packets
    };
    // `forwarder` and `home_agent` outlive it.
    static absl::StatusOr<std::unique_ptr<HomeAgentDuty>> start(const Config& config, Forwarder& forwarder,
                                                                HomeAgent& home_agent);
    // Leaves the prefix to the others; without others everything stays as it is.
    virtual ~HomeAgentDuty() = default;

    // The underlay addresses of all home agents of the prefix, once the forwarder knows it.
    // `key`: what they authenticate their words to each other with.
    virtual void setMembers(const Ipv6Prefix& home_prefix, const std::vector<Ipv6Address>& members,
                            const std::string& key) = 0;
    // Of their advertisements, so far: what was not authentic, or was played back.
    virtual uint64_t refusedAdvertisements() = 0;
};

}  // namespace homeslice::mobility
