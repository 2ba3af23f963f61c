// The mobile access gateway (RFC 5213): registers the slivers of this node at the home agents on their behalf,
// refreshes before expiry, retransmits 1 -> 32 s, deregisters; and keeps the forwarder's route optimization in step
// with the home agents' bindings. Goes on without a controller. Threads: any.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "noded/mobility/binding.h"
#include "noded/mobility/forwarder.h"

namespace homeslice::mobility {

struct HomeAgentAddress {
    Ipv6Address address;
    uint16_t api_port = 0;

    auto operator<=>(const HomeAgentAddress&) const = default;
};

// One session with one home agent; implemented by api/ over gRPC. Reconnects by itself.
class BindingTransport {
public:
    struct Callbacks {
        std::function<void()> connected;  // a fresh stream: send everything again
        std::function<void(const BindingAcknowledgement&)> acknowledged;
        std::function<void(const BindingEvent&)> event;  // after each (re)connect a whole snapshot comes first
        std::function<void()> watching;  // a snapshot begins; what it does not name is gone when it ends
    };
    virtual ~BindingTransport() = default;
    // Queues; never blocks, never calls back from within. Lost when the stream breaks: `connected` follows.
    virtual void send(const BindingUpdate& update) = 0;
};
using TransportFactory =
    std::function<std::unique_ptr<BindingTransport>(const HomeAgentAddress&, BindingTransport::Callbacks)>;

class AccessGateway {
public:
    struct Config {
        Ipv6Address care_of_address;
        uint32_t lifetime_s = 40;  // asked for
        uint8_t priority = 64;     // of the care-of address, see BindingTerms
    };
    // `forwarder` outlives the gateway.
    static std::unique_ptr<AccessGateway> create(const Config& config, Forwarder& forwarder, TransportFactory factory);
    virtual ~AccessGateway() = default;

    // Of several the one in charge (as they say themselves; the first until one does) gets what slivers send to home
    // addresses that have no direct path, and decides in waitRegistered().
    virtual void setHomeAgents(const std::vector<HomeAgentAddress>& home_agents) = 0;

    // The one that the forwarder was told; nothing before the first.
    virtual std::optional<Ipv6Address> homeAgent() = 0;

    // `care_of_address` says that `home_address` is not there. If packets go there, they go by way of the home agent
    // until a home agent tells of another binding of it, or for ten seconds: then the direct path is tried again.
    virtual void pathIsGone(const Ipv6Address& /*home_address*/, const Ipv6Address& /*care_of_address*/) {}

    // Registers a home address of a local sliver (call for its own address with binding id 0, and for the slice's with
    // the sliver's index), and keeps it registered. A higher generation replaces, other terms are told to the home
    // agents; their priority is the node's. Returns at once.
    virtual void bind(const BindingKey& key, const Grant& grant, const BindingTerms& terms = {}) = 0;
    // Deregisters. Returns at once.
    virtual void unbind(const BindingKey& key) = 0;

    struct Registration {
        BindingKey key;
        uint64_t generation = 0;
        bool registered = false;                         // acknowledged by a home agent and not expired
        BindingStatus status = BindingStatus::accepted;  // of the last acknowledgement
    };
    virtual std::vector<Registration> registrations() = 0;

    struct Refusals {
        uint64_t count = 0;
        std::string last;  // one line: who refused what, and why
    };
    // Since this gateway began. A sequence number that is only asked for again is none.
    virtual Refusals refusals() = 0;

    // Waits until `key` is acknowledged with `generation` (or a higher one) by the home agent in charge, or by any
    // while none is known to be: OK. ABORTED when all refuse it as stale, PERMISSION_DENIED when they refuse the
    // care-of address; NOT_FOUND when it is not bound here (any more); DEADLINE_EXCEEDED after `timeout`, with the last
    // refusal that may yet pass (no room, no home prefix known) if any.
    virtual absl::Status waitRegistered(const BindingKey& key, uint64_t generation,
                                        std::chrono::milliseconds timeout) = 0;
};

}  // namespace homeslice::mobility
