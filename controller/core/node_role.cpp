#include "controller/core/node_role.h"

#include "base/status.h"

namespace homeslice::controller {

absl::Status checkRole(const Node& hello, const Snapshot& snapshot) {
    if (!hello.home_agent || isHomeAgent(hello, snapshot)) return absl::OkStatus();
    return permissionDenied(
        "node '" + hello.name +
        "' is not allowed to be a home agent: an administrator allows it with `slicectl node home-agent " + hello.name +
        "`");
}

bool isHomeAgent(const Node& node, const Snapshot& snapshot) {
    const auto enrolled = snapshot.enrolled_nodes.find(node.name);
    return node.home_agent && enrolled != snapshot.enrolled_nodes.end() && enrolled->second.home_agent;
}

}  // namespace homeslice::controller
