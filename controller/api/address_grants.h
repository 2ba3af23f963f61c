// Grants of addresses (pki/grant.h) on their way to the nodes.
#pragma once

#include <string>

#include "homeslice/v1/node.pb.h"

namespace homeslice::controller {

// Threads: any.
class AddressGrants {
public:
    explicit AddressGrants(std::string key) : key_(std::move(key)) {}

    // Adds to the picture of `node` the grants of its slivers' addresses; for a home agent also what grants are checked
    // with.
    void add(const std::string& node, bool home_agent, v1::DesiredState& desired) const;

private:
    const std::string key_;
};

}  // namespace homeslice::controller
