// Keeps the data plane in step with the network part of the desired picture, across noded's own death: the last picture
// is in the node's store (table "network") and is applied at start, controller or not. Threads: any.
#pragma once

#include <absl/status/status.h>

#include <mutex>
#include <optional>

#include "noded/api/flow_sharing.h"
#include "noded/api/grant_check.h"
#include "noded/api/network_picture.h"
#include "noded/api/peer_table.h"
#include "noded/mobility/access_gateway.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/home_agent_duty.h"
#include "noded/mobility/keepalive_client.h"
#include "noded/store/key_value_store.h"

namespace homeslice::api {

class NetworkSettings {
public:
    // All outlive this; `home_agent` is null on nodes without that role.
    struct Parts {
        mobility::Forwarder& forwarder;
        mobility::AccessGateway& gateway;
        mobility::HomeAgent* home_agent;
        store::KeyValueStore& store;
        PeerTable& peers;
        GrantCheck& grants;
        mobility::HomeAgentDuty* duty = nullptr;          // of a home agent
        FlowFollowers* followed_flows = nullptr;          // the same
        mobility::KeepaliveClient* keepalives = nullptr;  // of a node behind a NAT
    };
    explicit NetworkSettings(const Parts& parts) : parts_(parts) {}

    // Applies what is stored; OK when nothing is.
    absl::Status restore();
    // Applies and stores. An error leaves the picture unsettled.
    absl::Status set(const NetworkPicture& picture);
    // Slivers are not to talk to the controller.
    absl::Status guardController(const Ipv6Address& address);
    // Tries again what failed in an earlier call. OK when nothing is left to do.
    absl::Status settle();

private:
    // With the lock held.
    absl::Status settleLocked();
    absl::Status apply();
    absl::Status save();
    std::optional<Ipv6Address> homeAgentForForwarder() const;

    Parts parts_;
    std::mutex mutex_;
    std::optional<NetworkPicture> picture_;
    bool applied_ = true;
    bool saved_ = true;
    std::optional<Ipv6Address> guarded_;
};

}  // namespace homeslice::api
