// What a sliver is to be, as the controller says it to the sliver's node. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ipv6.h"
#include "spec/sliver_id.h"
#include "spec/sliver_template.h"

namespace homeslice {

enum class DesiredRun { running, frozen, prepared, stopped };

// Where the disk of a moving sliver is to be had.
struct DiskSource {
    Ipv6Address node;  // underlay address
    uint16_t api_port = 0;
    uint64_t generation = 0;  // under which it ran there

    bool operator==(const DiskSource&) const = default;
};

struct SliverSpec {
    SliverId id;
    uint64_t generation = 0;  // the controller's fencing number
    DesiredRun run = DesiredRun::running;
    SliverTemplate base;
    Ipv6Address home_address;
    Ipv6Address slice_address;
    uint16_t weight = kDefaultWeight;  // its share of the flows to the slice's address, 1 to kMaxWeight
    bool draining = false;             // it takes no new one of them
    std::optional<DiskSource> disk_source;
    // The controller's word to the home agents that the sliver's node has the addresses; opaque.
    std::string home_address_grant{};
    std::string slice_address_grant{};

    bool operator==(const SliverSpec&) const = default;
};

}  // namespace homeslice
