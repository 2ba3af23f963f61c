// The MTUs that the kernel can be told to name in a Packet Too Big: a routing table for each (steering.cpp).
#pragma once

#include <linux/types.h>

enum {
    HS_LEAST_MTU = 1280,  // RFC 8200 5
    HS_FINE_MTU_STEP = 20,
    HS_FINE_MTUS_END = 1500,
    HS_COARSE_MTU_STEP = 500,
};

// The greatest of them that is not above `mtu`, which is itself one if it is the node's sliver MTU.
static inline __attribute__((always_inline)) __u32 namedMtu(__u32 mtu, __u32 sliver_mtu) {
    if (mtu >= sliver_mtu) return sliver_mtu;
    if (mtu <= HS_LEAST_MTU) return HS_LEAST_MTU;
    if (mtu >= HS_FINE_MTUS_END) return mtu - mtu % HS_COARSE_MTU_STEP;
    return mtu - (mtu - HS_LEAST_MTU) % HS_FINE_MTU_STEP;
}
