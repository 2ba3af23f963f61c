// What the parsers of options' values are made of.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace homeslice::ctl {

// `number` above 0 in decimal digits, and whatever follows it.
struct Quantity {
    uint64_t number = 0;
    std::string unit;
};

// Nothing when `text` does not begin with such a number.
std::optional<Quantity> splitQuantity(const std::string& text);
// `text` in the smallest unit; nothing when its unit is not in `factors`, or the result is above `most`.
std::optional<uint64_t> scaled(const std::string& text, const std::map<std::string, uint64_t>& factors, uint64_t most);
// Without a unit, from 1 to `most`.
std::optional<uint32_t> wholeNumber(const std::string& text, uint32_t most);

// "a,,b" has three parts.
std::vector<std::string> splitAt(const std::string& text, char separator);

// INVALID_ARGUMENT: "--memory '-1' is not valid: use <accepted>".
absl::Status refuse(const std::string& option, const std::string& text, const std::string& accepted);

}  // namespace homeslice::ctl
