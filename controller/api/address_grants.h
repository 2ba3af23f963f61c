// Grants of addresses (pki/grant.h) on their way to the nodes.
#pragma once

#include <string>
#include <vector>

#include "homeslice/v1/node.pb.h"
#include "pki/grant.h"

namespace homeslice::controller {

// Threads: any.
class AddressGrants {
public:
    explicit AddressGrants(pki::GrantKeys keys) : keys_(std::move(keys)) {}

    // Adds to the picture of `node` the grants of its slivers' addresses; for a home agent also what grants are checked
    // with. `former`: nodes that were home agents, and know what grants are usually checked with.
    void add(const std::string& node, bool home_agent, const std::vector<std::string>& former,
             v1::DesiredState& desired) const;

private:
    const pki::GrantKeys keys_;
};

}  // namespace homeslice::controller
