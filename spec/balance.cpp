#include "spec/balance.h"

#include <array>
#include <utility>

namespace homeslice {
namespace {

constexpr std::array<std::pair<Balance, std::string_view>, 4> kNames{{{Balance::hash, "hash"},
                                                                      {Balance::round_robin, "round-robin"},
                                                                      {Balance::least_load, "least-load"},
                                                                      {Balance::nearest, "nearest"}}};

}  // namespace

std::string toString(Balance balance) {
    for (const auto& [value, name] : kNames)
        if (value == balance) return std::string(name);
    return "unknown";
}

std::optional<Balance> parseBalance(std::string_view name) {
    for (const auto& [value, known] : kNames)
        if (known == name) return value;
    return std::nullopt;
}

}  // namespace homeslice
