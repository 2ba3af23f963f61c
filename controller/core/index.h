// What follows from the stored rows and is asked for all the time: kept along with them, row by row, so that nothing
// has to look at all of them. Threads: none of its own, the core's lock covers it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/model/model.h"
#include "controller/store/store.h"

namespace homeslice::controller {

struct BySliverId {
    bool operator()(const Sliver* a, const Sliver* b) const { return a->id < b->id; }
};
using SliverSet = std::set<const Sliver*, BySliverId>;

// Nodes that have to do with the sliver: its own, both ends of a move, its holders. Each once.
std::vector<const std::string*> nodesOf(const Sliver& sliver);

class Index {
public:
    // Refers to `snapshot`, which must outlive it and change by apply() alone.
    explicit Index(Snapshot& snapshot);
    Index(const Index&) = delete;
    Index& operator=(const Index&) = delete;

    // applyTo(), and the index with it.
    void apply(const Changes& changes);

    // Slivers that have to do with the node.
    const SliverSet& sliversAt(const std::string& node) const;
    // Of those that are on it or move to it. What moves is guaranteed its share at both ends: either may be where it
    // goes on.
    struct Use {
        uint32_t slivers = 0;
        uint64_t reserved_millis = 0;
    };
    // Of each node, in the order of their names. Whoever places looks at all of them: here without a search for each.
    struct NodeUse {
        const Node* node;
        const Use* use;
    };
    const std::vector<NodeUse>& uses() const;

    const SliverSet& moving() const { return moving_; }
    // Names of the nodes that are home agents.
    const std::set<std::string>& homeAgents() const { return home_agents_; }
    // Of enrolled nodes: those that were one.
    const std::set<std::string>& formerHomeAgents() const { return former_home_agents_; }
    // Slivers that the operation has placed anew.
    const SliverSet& placedBy(const std::string& operation) const;
    uint32_t sliversOf(const std::string& slice) const;
    const std::set<uint32_t>& sliceNumbers() const { return numbers_; }

    // Ids of operations that have not ended: of a kind; about a slice or its slivers.
    const std::set<std::string>& running(OperationKind kind) const;
    const std::set<std::string>& runningAbout(const std::string& slice) const;
    // Null when no operation has the request id.
    const Operation* requested(const std::string& request_id) const;

private:
    struct AtNode {
        SliverSet slivers;
        Use use;
    };

    std::vector<const Sliver*> rowsIn(const Changes& changes) const;
    void add(const Sliver& sliver);
    void remove(const Sliver& sliver);
    void count(const Sliver& sliver, bool in);
    void add(const Operation& operation);
    void remove(const Operation& operation);

    Snapshot& snapshot_;
    std::unordered_map<std::string, AtNode> nodes_;  // grows only: uses_ refers to it
    mutable std::vector<NodeUse> uses_;              // made when it is asked for, once for each number of nodes
    SliverSet moving_;
    std::set<std::string> home_agents_;
    std::set<std::string> former_home_agents_;
    std::map<std::string, SliverSet> placed_by_;
    std::unordered_map<std::string, uint32_t> sizes_;  // of slices, in slivers
    std::set<uint32_t> numbers_;
    std::map<OperationKind, std::set<std::string>> running_;
    std::map<std::string, std::set<std::string>> running_about_;
    std::unordered_map<std::string, std::string> request_ids_;  // operation by request id
};

}  // namespace homeslice::controller
