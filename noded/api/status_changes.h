// What of a node's status its controller does not know yet. For one stream, by one thread.
#pragma once

#include <string>
#include <unordered_map>

#include "homeslice/v1/node.pb.h"

namespace homeslice::api {

class StatusChanges {
public:
    // The first status is whole; of each further one, what differs from the one before.
    v1::NodeStatus next(v1::NodeStatus whole);

private:
    bool first_ = true;
    std::unordered_map<std::string, std::string> said_;  // serialized statuses, by serialized id
};

}  // namespace homeslice::api
