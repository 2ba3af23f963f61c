// The network that all contestants share, so that each path has the same machines and hops:
//
//                      home agent (or plain router, SRv6, VXLAN)
//                          |
//     client ---------- router ---------- node --- sliver, and a plain host
//                          |
//                       sender's node --- sliver, and a plain host
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "box.h"
#include "noded/mobility/home_agent.h"

namespace homeslice::bench {

inline constexpr uint16_t kSinkPort = 5001;  // TCP
inline constexpr uint16_t kEchoPort = 5002;  // UDP

struct Network {
    Box client, router, home_agent_box, node_box, sender_box;
    Box sliver, plain_host;            // behind the node
    Box moved_sliver;                  // the sliver once more, behind the sender's node
    Box sending_sliver, sending_host;  // behind the sender's node
    std::unique_ptr<mobility::Forwarder> home_agent_forwarder, node_forwarder, sender_forwarder;
    std::unique_ptr<mobility::HomeAgent> home_agent;

    // `pins` is a directory on a bpffs.
    static absl::StatusOr<std::unique_ptr<Network>> make(const std::string& pins);
    // Plugs the sliver into the sender's node as well.
    absl::Status plugMovedSliver();
    // Binds the sliver's address to the node, or to the sender's node.
    absl::Status bindSliver(bool moved, uint64_t generation);
};

// What a packet's destination makes of its path.
extern const char* const kSliverAddress;       // tunnelled by the home agent
extern const char* const kPlainAddress;        // routed plainly by it
extern const char* const kSrv6Address;         // encapsulated by its kernel (encap.red), End.DT6 on the node
extern const char* const kVxlanAddress;        // through a VXLAN between the two
extern const char* const kPlainDirectAddress;  // not by the home agent at all

}  // namespace homeslice::bench
