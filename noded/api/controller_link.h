// The node's stream to its controller: says who the node is and how its slivers are, takes the desired picture in.
// Connects again for ever (100 ms to 2 s apart); the node goes on working without.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/ipv6.h"
#include "leader/controllers.h"
#include "noded/api/change_signal.h"
#include "noded/api/name_settings.h"
#include "noded/api/network_settings.h"
#include "noded/api/peer_table.h"
#include "noded/mobility/access_gateway.h"
#include "noded/sliver/manager.h"

namespace homeslice::api {

// What the node says of itself.
struct NodeIdentity {
    std::string name;
    Ipv6Address care_of_address;
    uint16_t api_port = 0;
    std::string version;
    bool home_agent = false;
    bool correspondent = false;
    uint32_t cpus = 0;
    uint64_t memory_bytes = 0;
    std::string kernel;
    std::string boot_id;
};

class ControllerLink {
public:
    struct Config {
        std::shared_ptr<leader::Controllers> controllers;
        NodeIdentity identity;
        // Of one stream: then another takes its place before it ends (tls::streamAge).
        std::chrono::milliseconds stream_age{};
    };
    // All outlive the link.
    struct Dependencies {
        sliver::Manager& manager;
        NetworkSettings& network;
        mobility::AccessGateway& gateway;
        PeerTable& peers;
        ChangeSignal& changes;          // raised when a report may have changed
        NameSettings* names = nullptr;  // null: the table of names is for others
    };
    static std::unique_ptr<ControllerLink> start(const Config& config, const Dependencies& dependencies);
    // Ends the stream and waits for the link's threads.
    virtual ~ControllerLink() = default;
};

}  // namespace homeslice::api
