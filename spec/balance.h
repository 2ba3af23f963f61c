// How the flows of a slice's address spread over its slivers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace homeslice {

enum class Balance : uint8_t {
    hash,         // by the flow alone: whoever knows the same slivers chooses the same one
    round_robin,  // in turn
    least_load,   // the one with the fewest connections for its weight
    nearest,      // those with the shortest round trip from the node that forwards
};

constexpr uint16_t kDefaultWeight = 1;
constexpr uint16_t kMaxWeight = 1000;

// "hash", "round-robin", "least-load", "nearest".
std::string toString(Balance balance);
std::optional<Balance> parseBalance(std::string_view name);

}  // namespace homeslice
