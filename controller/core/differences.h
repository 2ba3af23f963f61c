// What a batch changes for the nodes: found by what it touches, before and after.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/core/views.h"
#include "controller/store/store.h"

namespace homeslice::controller {

class Differences {
public:
    // `before`: the world without the batch.
    Differences(const World& before, const Changes& changes);

    struct Found {
        std::vector<std::pair<std::string, SliverId>> holdings;  // connected node, and the sliver of which it should
                                                                 // hold something else
        std::vector<std::string> nodes;                          // that all nodes should know otherwise
        std::vector<std::string> slices;                         // with other names
    };
    // `after`: the world with the batch.
    Found in(const World& after) const;

private:
    // What all nodes know of a node.
    struct Face {
        std::optional<KnownNode> known;
        bool home_agent = false;
        uint16_t api_port = 0;

        bool operator==(const Face&) const = default;
    };
    static Face faceOf(const Snapshot& snapshot, const std::string& node);

    void touchSlivers(const World& before, const Changes& changes);
    void touchNames(const World& before, const Changes& changes);
    void touchAll(const Snapshot& snapshot, const std::string& slice);
    void touchLoans(const Snapshot& snapshot, const Changes& changes);
    void touchNodes(const World& before, const Changes& changes);

    std::set<SliverId> slivers_;
    std::map<std::pair<std::string, SliverId>, std::optional<Holding>> held_;
    std::map<std::string, Face> faces_;
    std::set<std::string> names_;
};

}  // namespace homeslice::controller
