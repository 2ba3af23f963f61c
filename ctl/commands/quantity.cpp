#include "ctl/commands/quantity.h"

#include <charconv>

#include "base/status.h"

namespace homeslice::ctl {

std::optional<Quantity> splitQuantity(const std::string& text) {
    Quantity quantity;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, quantity.number);
    if (error != std::errc() || quantity.number == 0) return std::nullopt;
    quantity.unit.assign(rest, end);
    return quantity;
}

std::optional<uint64_t> scaled(const std::string& text, const std::map<std::string, uint64_t>& factors, uint64_t most) {
    const auto quantity = splitQuantity(text);
    if (!quantity) return std::nullopt;
    const auto factor = factors.find(quantity->unit);
    if (factor == factors.end() || quantity->number > most / factor->second) return std::nullopt;
    return quantity->number * factor->second;
}

std::optional<uint32_t> wholeNumber(const std::string& text, uint32_t most) {
    const auto number = scaled(text, {{"", 1}}, most);
    if (!number) return std::nullopt;
    return static_cast<uint32_t>(*number);
}

std::vector<std::string> splitAt(const std::string& text, char separator) {
    std::vector<std::string> parts;
    size_t start = 0;
    for (size_t end = 0; end != std::string::npos; start = end + 1) {
        end = text.find(separator, start);
        parts.push_back(text.substr(start, end == std::string::npos ? end : end - start));
    }
    return parts;
}

absl::Status refuse(const std::string& option, const std::string& text, const std::string& accepted) {
    constexpr size_t kShown = 60;
    return invalidArgument(option + " '" + text.substr(0, kShown) + "' is not valid: use " + accepted);
}

}  // namespace homeslice::ctl
