// The side of a node behind a NAT: keepalives to every home agent, which hold the NAT's mapping for the tunnel and tell
// where it leads. They carry a key that the home agent was told over TLS, a new one whenever it stops to answer.
// Threads: any; one of its own for each home agent.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "noded/mobility/access_gateway.h"

namespace homeslice::mobility {

class KeepaliveClient {
public:
    // Tells a home agent the key; may block for seconds.
    using SetKey = std::function<absl::Status(const HomeAgentAddress&, const std::string& key)>;
    struct Config {
        Ipv6Address care_of_address;  // this node's, behind a NAT
        // Far below the two minutes that NATs keep a mapping at least (RFC 4787 4.3): it is also how long a mapping
        // that the NAT has lost goes unnoticed.
        std::chrono::milliseconds interval = std::chrono::seconds(5);
    };
    static std::unique_ptr<KeepaliveClient> create(const Config& config, SetKey set_key);
    virtual ~KeepaliveClient() = default;

    virtual void setHomeAgents(const std::vector<HomeAgentAddress>& home_agents) = 0;
    // Where the home agents see this node; nothing while one does not answer.
    virtual std::map<HomeAgentAddress, std::optional<UdpEndpoint>> seen() = 0;
};

}  // namespace homeslice::mobility
