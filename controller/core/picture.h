// What a node should hold and know, from what is stored. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/views.h"
#include "controller/model/model.h"

namespace homeslice::controller {

// What one node should hold. For the length of one call, like the world.
class Holdings {
public:
    Holdings(const World& world, const std::string& node);

    // Nothing: of this sliver it should hold nothing.
    std::optional<Holding> of(const Sliver& sliver) const;

private:
    const World& world_;
    const std::string& node_;
    const std::map<SliverId, uint32_t> lent_;  // guarantees that differ from their slices'
};

// The node as all nodes should know it; nothing when it is not enrolled: what was revoked is trusted with no packet.
std::optional<KnownNode> knownNode(const Snapshot& snapshot, const std::string& name);

// All of them, by name; and `known`, which was that, after what all nodes should know of `name` has changed.
std::vector<KnownNode> knownNodes(const Snapshot& snapshot);
void renew(std::vector<KnownNode>& known, const Snapshot& snapshot, const std::string& name);

Picture wholePicture(const World& world, const std::string& node, const std::vector<KnownNode>& known);
// How these slivers, and the nodes with these names, differ from the picture of revision `since`.
Picture changedPicture(const World& world, const std::string& node, uint64_t since,
                       const std::vector<SliverId>& slivers, const std::vector<std::string>& nodes);

}  // namespace homeslice::controller
