// What the programs tell noded of packets for slivers that are not here. Plain C, as layout.h.
#pragma once

#include "noded/mobility/bpf/layout.h"

enum {
    HS_STRAYS_BYTES = 65536,  // of the ring buffer
    HS_STRAY_TIMES = 4096,
};

// A record of `strays`: `sender` (outer source) believes that `home_address` is at this node. Told once a second.
struct hs_stray {
    struct hs_address sender;
    struct hs_address home_address;
};

HS_STATIC_ASSERT(sizeof(struct hs_stray) == 32);
