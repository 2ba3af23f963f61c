// The home agent's side of NAT traversal (RFC 5555 5.4): learns from signed keepalives where NATs show the nodes behind
// them, tells the data plane, and answers. Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <string>

#include "noded/mobility/forwarder.h"

namespace homeslice::mobility {

class KeepaliveServer {
public:
    struct Config {
        Ipv6Address self;  // the home agent's care-of address, an IPv4 one
        // A node that is not heard for so long is nowhere.
        std::chrono::milliseconds lifetime = std::chrono::seconds(60);
    };
    // What the data plane knows from an earlier life counts for one lifetime. `forwarder` outlives the server.
    static absl::StatusOr<std::unique_ptr<KeepaliveServer>> start(const Config& config, Forwarder& forwarder);
    virtual ~KeepaliveServer() = default;

    // What `node` signs with from now on; a node has one care-of address. INVALID_ARGUMENT unless the key has its size
    // and the address is one of that node behind a NAT.
    virtual absl::Status setKey(const std::string& node, const Ipv6Address& care_of_address,
                                const std::string& key) = 0;
    // Keepalives with a wrong or unknown key, or said before.
    virtual uint64_t refused() = 0;
};

}  // namespace homeslice::mobility
