// What all nodes know of each other, and how to tell it: lists that are made once and told to many. Threads: none of
// its own, the core's lock covers it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/change_log.h"
#include "controller/model/model.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// The node as all nodes should know it; nothing when it is not enrolled: what was revoked is trusted with no packet.
std::optional<KnownNode> knownNode(const Snapshot& snapshot, const std::string& name);

class KnownNodes {
public:
    // `snapshot` must outlive it.
    explicit KnownNodes(const Snapshot& snapshot);

    // What all should know of the node has changed with `revision`, which is not below that of an earlier call.
    void note(const std::string& name, uint64_t revision) { changes_.note(name, revision); }
    // Of the newest change.
    uint64_t newest() const { return changes_.newest(); }
    // What to tell a node that knows what there was at revision `since`. 0: that knows nothing.
    std::vector<std::shared_ptr<const NodeList>> since(uint64_t since);
    // Whether it can be told as a change.
    bool reachesBackTo(uint64_t since) const { return changes_.reachesBackTo(since); }

private:
    struct Told {
        uint64_t since = 0;
        uint64_t until = 0;
        std::shared_ptr<const NodeList> list;  // null: none yet
    };

    std::vector<std::shared_ptr<const NodeList>> everything();
    std::shared_ptr<const NodeList> changesSince(uint64_t since);

    const Snapshot& snapshot_;
    ChangeLog changes_;
    Told whole_;   // an old one will do, with the changes since
    Told latest_;  // changes that were told last
};

}  // namespace homeslice::controller
