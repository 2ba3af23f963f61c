// For a node behind a NAT: its API is reached through calls that it holds open at the controller that leads
// (NodeLink.Listen). Each becomes one connection to this node's own server, which sees no difference: TLS and its
// certificates are those of the two ends. Threads: one of its own, and two for each connection.
#pragma once

#include <cstdint>
#include <memory>

#include "base/ipv6.h"
#include "leader/controllers.h"

namespace homeslice::api {

class NatListener {
public:
    // `server`: where this node's API listens.
    static std::unique_ptr<NatListener> start(std::shared_ptr<leader::Controllers> controllers,
                                              const Ipv6Address& server, uint16_t port);
    // Ends all connections.
    virtual ~NatListener() = default;
};

}  // namespace homeslice::api
