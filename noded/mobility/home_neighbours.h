// The home link's side of bindings, where the home prefix is on-link there: the home agent in charge answers neighbour
// discovery for the addresses that are bound (RFC 6275 10.4.1), and before it binds one it makes sure that nobody else
// on the link has it (10.3.1). Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "base/ipv6.h"

namespace homeslice::mobility {

class HomeNeighbours {
public:
    // On a link of the caller's network namespace: turns its proxying on, without the delay that the kernel would put
    // before an answer.
    static absl::StatusOr<std::unique_ptr<HomeNeighbours>> open(const std::string& link);
    // Leaves the kernel answering.
    virtual ~HomeNeighbours() = default;

    enum class Uniqueness { unique, duplicate, unknown };
    // `unknown` begins duplicate address detection, a second long; what it found is remembered for ten. A standby does
    // not look: it would find the one in charge.
    virtual Uniqueness uniquenessOf(const Ipv6Address& home_address) = 0;

    virtual void setBound(const Ipv6Address& home_address, bool bound) = 0;
    // With true the bound addresses are told to all neighbours: they are here now.
    virtual void setInCharge(bool in_charge) = 0;
};

}  // namespace homeslice::mobility
