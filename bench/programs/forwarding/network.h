// The network that all contestants share, so that each path has the same machines and hops:
//
//                      home agent (or plain router, SRv6, VXLAN), and a second one with a million bindings
//                          |
//     client ---------- router ---------- node --- slivers, and a plain host
//                        | | |             |
//                        | | a plain router with a million routes
//                        | |
//                        | sender's node --- sliver, and a plain host
//                        |
//                        two bare machines without anything of ours, a host behind each
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
    Box client, router, home_agent_box, full_box, routes_box, node_box, sender_box, bare_box, bare_sender_box;
    Box sliver, full_sliver, plain_host;  // behind the node
    Box moved_sliver;                     // the sliver once more, behind the sender's node
    Box sending_sliver, sending_host;     // behind the sender's node
    Box bare_host, bare_sending_host;     // behind the bare machines
    std::unique_ptr<mobility::Forwarder> home_agent_forwarder, full_forwarder, node_forwarder, sender_forwarder;
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
extern const char* const kBareAddress;         // the same by machines without anything of ours
extern const char* const kFullAddress;         // tunnelled by the home agent with a million bindings

// Where traffic for all bound addresses ends: at the node, which drops it. The nets are /52s, the first slices of each.
extern const char* const kSinkNet;     // plain, not by a home agent
extern const char* const kSinkCareOf;  // the care-of address of such bindings
extern const char* const kFullNet;     // of their home addresses
extern const char* const kRoutesNet;   // plain, by the router with a million routes
extern const char* const kRoutesHop;   // where those lead: the node, as that router sees it

}  // namespace homeslice::bench
