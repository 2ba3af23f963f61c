// The node's gRPC server: NodeService, BindingService on home agents, server reflection and health. Listens on one
// address only, to those whom its peer table knows, by TLS.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/ipv6.h"
#include "noded/api/grant_check.h"
#include "noded/api/peer_table.h"
#include "noded/audit/flow_recorder.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/keepalive_server.h"
#include "noded/sliver/manager.h"
#include "pki/tls/credentials.h"

namespace homeslice::api {

class Server {
public:
    struct Config {
        Ipv6Address address;
        uint16_t port = 0;                              // 0: any free one, see port()
        std::shared_ptr<tls::Credentials> credentials;  // of the node
    };
    // All outlive the server. SIGPIPE must not kill the process.
    struct Dependencies {
        sliver::Manager& manager;
        mobility::Forwarder& forwarder;
        mobility::HomeAgent* home_agent;                  // null: no BindingService
        PeerTable& peers;                                 // who may call
        const GrantCheck& grants;                         // who may register what
        audit::FlowRecorder* flows = nullptr;             // null: no FlowService
        mobility::KeepaliveServer* keepalives = nullptr;  // of a home agent with IPv4
        std::function<std::string()> inspect;             // may block
    };
    // Whether start() could listen there now; the error says why not (EADDRINUSE, EADDRNOTAVAIL, ...). For callers that
    // would rather know before they change anything.
    static absl::Status probe(const Config& config);
    // Fails as probe() does.
    static absl::StatusOr<std::unique_ptr<Server>> start(const Config& config, const Dependencies& dependencies);
    // Ends all calls (commands that run for one are killed), then the server. Takes as long as the slowest export that
    // is under way needs to notice.
    virtual ~Server() = default;
    virtual uint16_t port() const = 0;
};

// gRPC's own log lines become debug lines of ours. Call before anything else of this folder.
void redirectGrpcLog();

}  // namespace homeslice::api
