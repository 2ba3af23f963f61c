// Answers about the whole: what is stored joined with what the nodes say. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ipv6.h"
#include "controller/core/index.h"
#include "controller/core/node_table.h"
#include "controller/model/model.h"
#include "controller/placement/placement.h"
#include "controller/store/store.h"

namespace homeslice::controller {

struct NodeView {
    Node node;
    std::string not_ready;  // why; empty when it is ready
    uint32_t slivers = 0;   // placed on it
    uint32_t cpu_reserved_millis = 0;
    BindingRefusals refusals;
};

struct ImageView {
    Image image;
    uint32_t slices = 0;  // that use it
};

struct SliceView {
    Slice slice;
    Ipv6Prefix prefix;
    Ipv6Address address;
    uint32_t slivers = 0;
    uint32_t running = 0;
    int64_t delete_us = 0;  // when it is deleted unless it is renewed
};

struct SliverView {
    SliverId id;
    std::string node;  // where it is, or moves to
    std::string moving_from;
    SliverState state = SliverState::pending;
    std::string reason;
    uint64_t generation = 0;
    Ipv6Address home_address;
    uint32_t exit_status = 0;
    int64_t running_since_us = 0;
    uint64_t memory_bytes = 0;
    Health health = Health::none;
    uint32_t restarts = 0;
    uint16_t weight = kDefaultWeight;
    bool draining = false;
    bool frozen = false;  // it is to stand still
};

// What the views are made from; for the length of one call.
struct World {
    const Snapshot& snapshot;
    const Index& index;  // of the snapshot
    const NodeTable& nodes;
    const Ipv6Prefix& home_prefix;
    const std::string& domain;
    std::chrono::seconds grace;
    Monotonic::time_point now;
    int64_t now_us;
    Monotonic::duration replace_after;                    // silence after which a node's slivers are placed anew
    const std::map<std::string, uint64_t>& import_bytes;  // of the images that come in now, by operation
};

NodeView viewNode(const World& world, const Node& node);
ImageView viewImage(const World& world, const Image& image);
SliceView viewSlice(const World& world, const Slice& slice);
SliverView viewSliver(const World& world, const Sliver& sliver);
// With its present progress, by which it may have ended.
Operation progressNow(const World& world, const Operation& operation);
// The same for those who look: a deletion has not ended as long as the slice is there.
Operation viewOperation(const World& world, const Operation& operation);
// Whether the operation, about a slice, still waits for this sliver of it.
bool isAwaited(const World& world, const Operation& operation, const Sliver& sliver);

// All nodes. `apart_from`: of their slivers' slices these alone are named.
std::vector<Candidate> candidates(const World& world, const std::vector<std::string>& apart_from);
// With all slices.
std::vector<Candidate> candidates(const World& world);
std::vector<const Sliver*> sliversOf(const Snapshot& snapshot, const std::string& slice);
uint32_t slicesUsing(const Snapshot& snapshot, const std::string& digest);

}  // namespace homeslice::controller
