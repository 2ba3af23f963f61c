// What the controller knows, as plain values. Everything above speaks these; protobuf stops at controller/api. What a
// sliver is to be is said in spec/'s values, which the nodes share.
//
// Times are microseconds since the Unix epoch (UTC), 0 meaning "never".
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "controller/model/capacity.h"
#include "controller/model/people.h"
#include "controller/model/placement_rules.h"
#include "spec/sliver_spec.h"
#include "spec/sliver_state.h"

namespace homeslice::controller {

// A machine that has said hello at least once.
struct Node {
    std::string name;
    Ipv6Address care_of_address;
    uint16_t api_port = 0;
    std::string version;
    bool home_agent = false;
    uint32_t cpus = 0;
    uint64_t memory_bytes = 0;
    std::string kernel;
    std::string boot_id;
    int64_t last_seen_us = 0;
    // By administrators, never by the node itself.
    Labels labels;
    bool cordoned = false;  // no new slivers
    // By the node itself.
    bool correspondent = false;  // takes no slivers, sends to home addresses by direct paths

    bool operator==(const Node&) const = default;
};

// A name for an archive. The archive itself is a file, see controller/images.
struct Image {
    std::string name;
    std::string digest;  // sha256:<64 hex digits>
    uint64_t size_bytes = 0;
    int64_t created_us = 0;

    bool operator==(const Image&) const = default;
};

struct Slice {
    std::string name;
    uint32_t number = 0;  // of its home /64 in the home prefix
    SliverTemplate base;  // with the digest that it was made with, whatever the image's name stands for today
    int64_t created_us = 0;
    int64_t lease_end_us = 0;
    bool suspended = false;  // the lease has ended: its slivers stand still
    bool deleting = false;
    PlacementRules rules;
    std::string owner;              // user; empty for one of before there were users, which is the administrators'
    std::set<std::string> members;  // users who may use it too
    std::string reservation;        // that its guarantees come out of; empty: none

    bool operator==(const Slice&) const = default;
};

// How far a move has come; see moves/move.h for the table.
enum class MovePhase { none, clearing, preparing, stopping, transferring };

struct Move {
    MovePhase phase = MovePhase::none;
    std::string source;
    std::string target;
    uint64_t source_generation = 0;  // under which it ran on `source`
    uint64_t target_generation = 0;  // under which it is to run on `target`
    std::string operation;           // id

    bool operator==(const Move&) const = default;
};

struct Sliver {
    SliverId id;
    std::string node;               // that is to run it
    uint64_t generation = 0;        // under which it runs there
    uint64_t last_generation = 0;   // the highest ever given out for it
    std::set<std::string> holders;  // nodes that may have something of it
    Move move;
    bool frozen = false;               // it is to stand still
    std::string keys_mark;             // of the ssh keys that were written into it, see core/controller_keys.cpp
    uint16_t weight = kDefaultWeight;  // its share of the flows to the slice's address
    bool draining = false;             // it takes no new one of them
    std::string placed_by;             // operation that placed it anew, after the loss of a node

    bool moving() const { return move.phase != MovePhase::none; }
    bool operator==(const Sliver&) const = default;
};

// Stored by number: new ones come last.
enum class OperationKind {
    createSlice,
    deleteSlice,
    moveSliver,
    setSlice,
    freeze,
    thaw,
    drainNode,
    replaceSlivers,
    rebalance,
    importImage
};
enum class OperationState { running, done, partial, failed, cancelled };

struct OperationFailure {
    SliverId sliver;
    std::string node;
    std::string reason;

    bool operator==(const OperationFailure&) const = default;
};

struct Operation {
    std::string id;
    OperationKind kind = OperationKind::createSlice;
    SliverId subject;  // index 0: the whole slice
    std::string node;  // where that is no subject: the node (drainNode, replaceSlivers) or the image (importImage)
    OperationState state = OperationState::running;
    uint32_t done = 0;  // slivers that have got there
    uint32_t total = 0;
    std::string step;  // what happens now, for a person
    std::vector<OperationFailure> failures;
    int64_t started_us = 0;
    int64_t ended_us = 0;
    std::string request_id;  // empty, or the client's

    bool ended() const { return state != OperationState::running; }
    bool operator==(const Operation&) const = default;
};

// What a node says of one sliver.
struct SliverReport {
    SliverId id;
    uint64_t generation = 0;  // the one that the node acts on
    SliverState state = SliverState::pending;
    std::string reason;
    uint32_t exit_status = 0;      // with exited
    int64_t running_since_us = 0;  // 0 unless running
    bool image_ready = false;
    uint64_t memory_bytes = 0;  // in use
    Health health = Health::none;
    uint32_t restarts = 0;  // by its restart policy, since it was last asked to start
    bool stale = false;     // not (yet) as last asked; `reason` says what stands against it

    bool operator==(const SliverReport&) const = default;
};

struct NodeReport {
    uint64_t desired_revision = 0;      // of the newest picture that the node has taken in
    std::vector<SliverReport> slivers;  // one that is missing here is gone from the node, unless
    bool changes_only = false;          // only those that are not as last reported are here
    std::vector<SliverId> gone{};       // and these are gone
    uint64_t bindings_refused = 0;      // by home agents
    std::string binding_refusal;        // the latest of them
};

struct HomeAgent {
    Ipv6Address address;
    uint16_t api_port = 0;

    bool operator==(const HomeAgent&) const = default;
};

// A node that every node should know: its certificate counts, and packets from its address are taken.
struct KnownNode {
    EnrolledNode enrolled;
    Ipv6Address care_of_address;  // unspecified before its first hello

    bool operator==(const KnownNode&) const = default;
};

// How what all nodes know of each other changes. Made once for many nodes.
struct NodeList {
    std::vector<KnownNode> nodes;
    std::vector<std::string> gone;
};

// What a node should hold of one sliver.
struct Holding {
    SliverSpec spec;
    std::string disk_reader;  // the node that may take its disk, when it is stopped; empty: none

    bool operator==(const Holding&) const = default;
};

// What a node should hold and know: the whole, or how that differs from what it was told before.
struct Picture {
    uint64_t since = 0;  // not 0: slivers and nodes that are not mentioned are as in the picture of that revision
    std::map<SliverId, Holding> slivers;
    std::vector<SliverId> gone;  // with since: slivers of which it should hold nothing
    std::vector<HomeAgent> home_agents;
    std::vector<std::string> former_home_agents;  // nodes whose role an administrator has ended once
    Ipv6Prefix home_prefix;
    std::vector<std::shared_ptr<const NodeList>> node_lists;  // each a change of the ones before it
    std::chrono::milliseconds heartbeat{1000};                // longest silence of the node
};

// As the API calls it: "create slice".
const char* toString(OperationKind kind);
// "web" or "web/2".
std::string subjectText(const SliverId& subject);
// "web", "web/2" or what else it is about: "node1", the image "debian"; empty for a rebalancing of all nodes.
std::string subjectText(const Operation& operation);

}  // namespace homeslice::controller
