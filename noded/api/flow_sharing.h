// A home agent follows the choices of the other home agents of its prefix (BindingService.WatchFlows), so that flows to
// shared addresses stay with their members when it takes over. Best effort: what is lost is chosen anew. Threads: any
// but gRPC's.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "noded/mobility/access_gateway.h"
#include "noded/mobility/forwarder.h"
#include "pki/tls/credentials.h"

namespace homeslice::api {

class FlowFollowers {
public:
    // `self`: the address of this home agent, which is not followed. `forwarder` outlives it.
    FlowFollowers(std::shared_ptr<tls::Credentials> credentials, const Ipv6Address& self,
                  mobility::Forwarder& forwarder);
    ~FlowFollowers();

    // Those that were there before are followed on.
    void setHomeAgents(const std::vector<mobility::HomeAgentAddress>& home_agents);

private:
    class Follower;

    const std::shared_ptr<tls::Credentials> credentials_;
    const Ipv6Address self_;
    mobility::Forwarder& forwarder_;
    std::mutex mutex_;
    std::map<mobility::HomeAgentAddress, std::unique_ptr<Follower>> followers_;
};

}  // namespace homeslice::api
