// Identity of a sliver; survives every move.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace homeslice {

struct SliverId {
    std::string slice;   // a DNS label, see base/names.h
    uint32_t index = 0;  // 1 to 65535

    auto operator<=>(const SliverId&) const = default;
    std::string toString() const { return slice + "/" + std::to_string(index); }  // "web/2"
    std::string fileName() const { return slice + "." + std::to_string(index); }  // "web.2", safe in paths
};

}  // namespace homeslice
