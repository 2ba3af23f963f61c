// A flow to a shared home address, and whose it is: what home agents tell each other, so that a flow stays with its
// member when another one forwards it.
#pragma once

#include <cstdint>

#include "base/ipv6.h"

namespace homeslice::mobility {

// As its packets to the home address carry it.
struct ChosenFlow {
    Ipv6Address source;
    Ipv6Address destination;  // the home address
    uint16_t source_port = 0;
    uint16_t destination_port = 0;
    uint8_t protocol = 0;
    uint16_t binding_id = 0;

    bool operator==(const ChosenFlow&) const = default;
};

}  // namespace homeslice::mobility
