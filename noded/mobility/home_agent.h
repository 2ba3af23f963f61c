// The home agent (RFC 6275 10; local mobility anchor of RFC 5213): owns the binding cache, drives the forwarder, tells
// watchers. Threads: any; watchers are called with a lock held, in order, and must not block or call back.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <vector>

#include "noded/mobility/binding.h"
#include "noded/mobility/flow_news.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_neighbours.h"

namespace homeslice::mobility {

class HomeAgent {
public:
    struct Config {
        uint32_t max_lifetime_s = 60;  // granted at most
        size_t max_bindings = 1'000'000;
    };
    // `forwarder` and `neighbours` outlive the home agent; `neighbours` is null unless the home prefix is on-link. Home
    // addresses that its pinned map still forwards stay forwarded until an update or one max_lifetime without any
    // settles them.
    static std::unique_ptr<HomeAgent> create(const Config& config, Forwarder& forwarder,
                                             HomeNeighbours* neighbours = nullptr);
    virtual ~HomeAgent() = default;

    virtual void setHomePrefix(const Ipv6Prefix& prefix) = 0;
    // What watchers hear of this home agent's role; nothing before the first call.
    virtual void setRole(const HomeAgentRole& role) = 0;
    // Whether `update` is to stay without an answer for now, while duplicate address detection goes on: its sender
    // repeats it.
    virtual bool postpones(const Ipv6Address& /*sender*/, const BindingUpdate& /*update*/) { return false; }
    // `sender` is the node's underlay address as the transport saw it; a care-of address that differs is refused.
    virtual BindingAcknowledgement update(const Ipv6Address& sender, const BindingUpdate& update) = 0;

    struct CachedBinding {
        Binding binding;
        BindingCounters counters{};
        std::optional<std::chrono::microseconds> round_trip{};  // to the care-of address, where it was measured
    };
    virtual std::vector<CachedBinding> list() = 0;

    using Watcher = std::function<void(const BindingEvent&)>;
    // Calls `watcher` with the role, every binding, snapshot_end, then each change. Returns an id for unwatch().
    virtual uint64_t watch(Watcher watcher) = 0;
    // When it returns the watcher is not called any more.
    virtual void unwatch(uint64_t id) = 0;

    // Choices that its data plane makes, for the other home agents.
    virtual FlowNews& flowNews() = 0;
};

}  // namespace homeslice::mobility
