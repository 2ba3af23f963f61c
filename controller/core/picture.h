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

using NodeLists = std::vector<std::shared_ptr<const NodeList>>;

Picture wholePicture(const World& world, const std::string& node, NodeLists node_lists);
// How these slivers, and the nodes of the lists, differ from the picture of revision `since`.
Picture changedPicture(const World& world, const std::string& node, uint64_t since,
                       const std::vector<SliverId>& slivers, NodeLists node_lists);

}  // namespace homeslice::controller
