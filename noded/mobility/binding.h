// The words of RFC 6275, RFC 5213 and RFC 5648 as values.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/ipv6.h"
#include "noded/mobility/care_of.h"

namespace homeslice::mobility {

// What a binding is registered under: several slivers may serve one home address, told apart by binding id (RFC 5648).
struct BindingKey {
    Ipv6Address home_address;
    uint16_t binding_id = 0;

    auto operator<=>(const BindingKey&) const = default;
};

struct BindingUpdate {
    BindingKey key;
    Ipv6Address care_of_address;
    uint16_t sequence = 0;
    uint64_t generation = 0;
    uint32_t lifetime_s = 0;  // 0 deregisters
};

// RFC 6275 6.1.8: below 128 accepted. 160 is our own.
enum class BindingStatus : uint8_t {
    accepted = 0,
    reason_unspecified = 128,
    administratively_prohibited = 129,
    insufficient_resources = 130,
    not_home_subnet = 132,
    sequence_out_of_window = 135,
    generation_stale = 160,
};

struct BindingAcknowledgement {
    BindingKey key;
    uint16_t sequence = 0;
    BindingStatus status = BindingStatus::accepted;
    uint32_t lifetime_s = 0;
    uint32_t refresh_s = 0;
    uint64_t generation = 0;
};

struct Binding {
    BindingKey key;
    Ipv6Address care_of_address;
    uint16_t sequence = 0;
    uint64_t generation = 0;
    uint32_t lifetime_s = 0;
    Monotonic::time_point expires;
    Utc::time_point registered;
};

constexpr CareOf memberOf(const Binding& binding) {
    return {.address = binding.care_of_address, .binding_id = binding.key.binding_id};
}

struct BindingEvent {
    enum class Kind { bound, unbound, snapshot_end } kind = Kind::bound;
    Binding binding;  // with unbound only `key` counts
};

// True when `next` comes after `last` modulo 2^16 (RFC 6275 9.5.1).
constexpr bool sequenceIsNewer(uint16_t next, uint16_t last) {
    const auto ahead = static_cast<uint16_t>(next - last);
    return ahead != 0 && ahead < 0x8000;
}

}  // namespace homeslice::mobility
