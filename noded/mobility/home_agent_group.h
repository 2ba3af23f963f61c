// The home agents of one prefix agree among themselves which one is in charge (election.h), by UDP from address to
// address, authenticated, without a controller. Its duties lie with who listens: see HomeLink.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "noded/mobility/election.h"

namespace homeslice::mobility {

class HomeAgentGroup {
public:
    struct Config {
        Ipv6Address self;   // this home agent's underlay address
        uint16_t port = 0;  // UDP, the same on all
        uint8_t priority = 100;
        std::chrono::milliseconds interval{150};
        bool all_in_charge = false;  // no election; in charge once nodes had the time to register here
    };
    // Called from the group's thread: at each change, and with each advertisement that renews the lease while in
    // charge. The time that it takes is missing from the lease.
    using Listener = std::function<void(const HomeAgentRole&)>;

    // A socket in the caller's network namespace. Nothing happens until the members are known.
    static absl::StatusOr<std::unique_ptr<HomeAgentGroup>> start(const Config& config, Listener listener);
    // Gives the lease back and tells the others, if there are any, and the listener. What the listener uses lives
    // longer.
    virtual ~HomeAgentGroup() = default;

    // All home agents of `home_prefix`; this one may be among them. They all have `key`, and nobody else has. Threads:
    // any.
    virtual void setMembers(const Ipv6Prefix& home_prefix, const std::vector<Ipv6Address>& members,
                            const std::string& key) = 0;

    // Datagrams that were not authentic, or were played back, so far. Threads: any.
    virtual uint64_t refused() = 0;
};

}  // namespace homeslice::mobility
