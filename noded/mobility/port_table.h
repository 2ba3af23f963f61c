// The slivers' ports in the maps: who is behind a link, what it exposes, which addresses it serves.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <map>

#include "noded/mobility/forwarder.h"
#include "noded/mobility/programs.h"
#include "noded/mobility/shared_sets.h"

namespace homeslice::mobility {

// Threads: one caller at a time. Both arguments outlive the table.
class PortTable {
public:
    PortTable(const Programs& programs, const SharedSets& sets) : programs_(programs), sets_(sets) {}

    // Everything that the port's programs look up. No packet is led to it yet.
    absl::Status add(const SliverPort& port, uint32_t link);
    // From now on packets for its addresses go there.
    absl::Status letIn(const SliverPort& port, uint32_t link);
    // Withdraws the addresses first. The link may be gone.
    absl::Status remove(const SliverPort& port);
    // As Forwarder::setServing().
    absl::Status setServing(const Ipv6Address& home_address, bool serving);

private:
    // A sliver that may have a part of its slice's address.
    struct Sharer {
        SliverPort port;
        uint32_t link = 0;
        bool serving = true;
    };

    absl::Status setExposed(uint32_t link, const std::vector<ExposedPort>& exposed);
    absl::Status settle(const Sharer& sharer);
    absl::Status share(const SliverPort& port, uint32_t link);
    absl::Status withdrawShare(const Ipv6Address& slice_address, uint32_t link);
    absl::Status withdrawOwn(const Ipv6Address& home_address, uint32_t link);
    absl::Status forget(uint32_t link, const Ipv6Address& slice_address);

    const Programs& programs_;
    const SharedSets& sets_;
    std::map<Ipv6Address, Sharer> sharers_;  // by home address
};

}  // namespace homeslice::mobility
