// What the nodes say, in memory: who is connected, what each last reported, what each was last told. Rebuilt from the
// nodes' own words after a restart. Threads: none of its own, the core's lock covers it.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "controller/model/model.h"
#include "spec/slice_names.h"

namespace homeslice::controller {

// A node's stream, implemented by the API. Both are called under the core's lock: they must not block nor call back.
class NodeSession {
public:
    virtual ~NodeSession() = default;
    // The first one of a session is whole, those after it are changes. What is whole makes those before it superfluous.
    // `names`: null when there is nothing new of them.
    virtual void send(uint64_t revision, const Picture& picture, const NameTable* names) = 0;
    virtual void sendNames(const NameTable& names) = 0;
    virtual void close(const absl::Status& why) = 0;
};

// What home agents would not take from a node.
struct BindingRefusals {
    uint64_t count = 0;
    std::string last;
};

class NodeTable {
public:
    // `started`: when the controller did; until a node had time to come back it does not count as lost.
    NodeTable(std::chrono::milliseconds timeout, Monotonic::time_point started);

    // The node must have no session. `id` must be new.
    void connect(const std::string& name, uint64_t id, std::shared_ptr<NodeSession> session, Monotonic::time_point now);
    // False when session `id` is not the node's (any more).
    bool isCurrent(const std::string& name, uint64_t id) const;
    // What the node's word changes: slivers about which it says something else than before.
    struct News {
        bool all = false;  // its word counts again: about everything that it has to do with
        std::vector<SliverId> slivers;
        std::vector<SliverId> shown;  // of these, the ones that differ in what users see of changes
    };
    News report(const std::string& name, const NodeReport& report, Monotonic::time_point now);
    void disconnect(const std::string& name);

    // What it should hold of the sliver has changed with `revision`; to be told.
    void ask(const std::string& name, const SliverId& id, uint64_t revision);
    // Connected nodes that were told nothing yet on this connection, or not of all that they were asked: how many, and
    // at most `most` of them, those that come after the last of the call before, round and round.
    size_t untoldCount() const { return untold_.size(); }
    std::vector<std::string> nextUntold(size_t most);
    struct Due {
        uint64_t since = 0;  // revision of the picture that the node was told last on this connection; 0: none
        std::vector<SliverId> slivers;  // that were asked for since
    };
    Due takeDue(const std::string& name);
    void send(const std::string& name, uint64_t revision, const Picture& picture, const NameTable* names,
              Monotonic::time_point now);
    void sendNames(const std::string& name, const NameTable& names);
    // How many were told something lately and have not answered that they took it in. Whoever takes long is not
    // counted.
    size_t answersAwaited(Monotonic::time_point now);
    // Up to which revision it was told of nodes (with its picture) and names on this connection; 0: not at all.
    uint64_t toldNodes(const std::string& name) const;
    uint64_t toldNames(const std::string& name) const;
    // Connected nodes.
    std::set<std::string> connectedNodes() const { return connected_; }
    size_t connectedCount() const { return connected_.size(); }
    // At most `most` connected nodes, those that come after the last of the call before, round and round.
    std::vector<std::string> nextInTurn(size_t most);
    // Closes and forgets the node's session, if it has one.
    void closeSession(const std::string& name, const absl::Status& why);
    void closeAll(const absl::Status& why);

    bool connected(const std::string& name) const;
    // Empty when the node is connected and was heard from within the timeout; else why not.
    std::string notReady(const std::string& name, Monotonic::time_point now) const;
    // The same for names that are asked for in ascending order, without a search for each.
    class InOrder;
    // For how long nothing was heard from it, as far as this controller can know: since its own start at most.
    Monotonic::duration silence(const std::string& name, Monotonic::time_point now) const;
    // Silent for so long that no move should wait for it: three timeouts.
    bool lost(const std::string& name, Monotonic::time_point now) const;

    // The newest report of a sliver, also of a node that is away now; null if there is none.
    const SliverReport* lastReport(const std::string& name, const SliverId& id) const;
    // The same, but only if the node is connected and had taken in, when it reported, what it was last told of this
    // sliver.
    const SliverReport* currentReport(const std::string& name, const SliverId& id) const;
    // The slivers that its newest report speaks of.
    std::vector<SliverId> reported(const std::string& name) const;
    // As its newest report says.
    BindingRefusals refusals(const std::string& name) const;
    // Whether such a report says that the node has nothing of it.
    bool reportsAbsence(const std::string& name, const SliverId& id) const;

private:
    struct LiveNode {
        std::shared_ptr<NodeSession> session;  // null: not connected
        uint64_t session_id = 0;
        Monotonic::time_point heard;
        std::vector<SliverReport> reports;  // by id: a list takes half the memory of a map
        BindingRefusals refusals;
        uint64_t taken_in = 0;        // newest revision that the node says it has, on this connection
        uint64_t first_revision = 0;  // first one told on this connection; 0: none yet
        uint64_t told_revision = 0;
        uint64_t told_names = 0;
        std::optional<Monotonic::time_point> awaited_since;  // its answer to what it was told
        // When what it should hold of a sliver last changed, unless the node has taken that in already.
        std::map<SliverId, uint64_t> asked;
        std::vector<SliverId> unsent;  // of these, the ones that it was not told yet
    };

    std::string notReady(const LiveNode* node, Monotonic::time_point now) const;
    void endWait(LiveNode& node);
    static bool hasSpoken(const LiveNode& node);
    static bool speaksOf(const LiveNode& node, const SliverId& id);
    static void takeWhole(LiveNode& node, const NodeReport& report, News& news);
    static void takeChanges(LiveNode& node, const NodeReport& report, News& news);
    static void takeObedience(LiveNode& node, News& news);
    const LiveNode* find(const std::string& name) const;

    std::chrono::milliseconds timeout_;
    Monotonic::time_point started_;
    using Entry = std::pair<const std::string, LiveNode>;
    std::unordered_map<std::string, LiveNode> nodes_;  // grows only: by_name_ refers to it
    mutable std::vector<const Entry*> by_name_;        // made when it is asked for, once for each number of nodes
    std::set<std::string> connected_;
    std::set<std::string> untold_;
    std::deque<std::pair<Monotonic::time_point, std::string>> told_lately_;  // in the order of time
    size_t answers_awaited_ = 0;
    std::string last_in_turn_;
    std::string last_untold_;
};

class NodeTable::InOrder {
public:
    // While this lives the table does not change.
    explicit InOrder(const NodeTable& table);
    std::string notReady(const std::string& name, Monotonic::time_point now);

private:
    const NodeTable& table_;
    std::vector<const Entry*>::const_iterator next_;
};

}  // namespace homeslice::controller
