// What a bandwidth in bits per second means on a sliver's link.
#pragma once

#include <cstdint>

#include "noded/sys/traffic_control.h"

namespace homeslice::isolation {

// The limit counts IPv6 payloads (RFC 8200: what follows the 40 bytes of header) in packets of full size; smaller
// packets pay the same headers for less. Thus TCP and UDP of full-size packets carry the limit less their own headers,
// 1 to 3%. `mtu`: the sliver's, at least 1280.
sys::TokenBucket tokenBucketOf(uint64_t bits_per_second, uint32_t mtu);

}  // namespace homeslice::isolation
