// The words of RFC 6275, RFC 5213 and RFC 5648 as values.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
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

// How a registration wants its care-of address to be used beside the others of its home address.
struct BindingTerms {
    uint8_t priority = 64;  // BID-PRI (RFC 6089 5.1.1), 1 to 127: only the lowest that is there gets new flows
    uint16_t weight = kDefaultWeight;  // 1 to kMaxWeight: its share among those of one priority
    bool draining = false;             // keeps its flows, gets no new ones
    Balance balance = Balance::hash;   // how its home address wants its flows spread
    uint32_t load = 0;                 // connections that it has open; with Balance::least_load

    bool operator==(const BindingTerms&) const = default;
};

// The controller's word that this node has an address.
struct Grant {
    uint64_t generation = 0;
    std::string proof{};  // for home agents, see pki/grant.h
};

struct BindingUpdate {
    BindingKey key;
    Ipv6Address care_of_address;
    BindingTerms terms{};
    uint16_t sequence = 0;
    uint64_t generation = 0;
    uint32_t lifetime_s = 0;  // 0 deregisters
    std::string proof{};      // of the grant
};

// RFC 6275 6.1.8: below 128 accepted. The last is our own, from the end of the space that IANA has left unassigned.
enum class BindingStatus : uint8_t {
    accepted = 0,
    reason_unspecified = 128,
    administratively_prohibited = 129,
    insufficient_resources = 130,
    not_home_subnet = 132,
    not_home_agent_for_this_mobile_node = 133,
    duplicate_address_detection_failed = 134,
    sequence_out_of_window = 135,
    generation_stale = 240,
};

// As the RFC names it, for people.
const char* nameOf(BindingStatus status);

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
    BindingTerms terms{};
    uint16_t sequence = 0;
    uint64_t generation = 0;
    uint32_t lifetime_s = 0;
    Monotonic::time_point expires;
    Utc::time_point registered;
};

// The care-of addresses of one home address: those of the lowest priority that has an active one get the new flows, the
// others only keep what they have.
CareOfSet careOfAddresses(const std::vector<Binding>& bindings);

// Whether a home agent is in charge of its prefix, as it says itself; see election.h.
struct HomeAgentRole {
    bool in_charge = false;
    uint64_t term = 0;  // of the one in charge, or the newest that was heard of

    bool operator==(const HomeAgentRole&) const = default;
};

struct BindingEvent {
    enum class Kind { bound, unbound, snapshot_end, role } kind = Kind::bound;
    Binding binding;  // with unbound only `key` counts
    HomeAgentRole role{};
};

// True when `next` comes after `last` modulo 2^16 (RFC 6275 9.5.1).
constexpr bool sequenceIsNewer(uint16_t next, uint16_t last) {
    const auto ahead = static_cast<uint16_t>(next - last);
    return ahead != 0 && ahead < 0x8000;
}

}  // namespace homeslice::mobility
