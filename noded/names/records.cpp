#include "noded/names/records.h"

#include <charconv>
#include <sstream>

namespace homeslice::names {
namespace {

constexpr uint32_t kSliceItself = 0;

// A sliver's index as the first label: no sign, no leading zero.
std::optional<uint32_t> indexOf(const std::string& label) {
    uint32_t index = 0;
    const char* const end = label.data() + label.size();
    const auto [stopped, error] = std::from_chars(label.data(), end, index);
    if (error != std::errc() || stopped != end || label[0] == '0') return std::nullopt;
    return index;
}

}  // namespace

const Labels& serverLabels() {
    static const Labels kLabels{"dns", "ns"};
    return kLabels;
}

Labels labelsOfText(const std::string& text) {
    Labels labels;
    std::istringstream parts(text);
    for (std::string label; std::getline(parts, label, '.');) labels.push_back(label);
    return labels;
}

std::string digitsOf(const Ipv6Address& address) {
    constexpr const char* kDigits = "0123456789abcdef";
    std::string digits;
    for (const uint8_t byte : address.bytes()) {
        digits += kDigits[byte >> 4];
        digits += kDigits[byte & 15];
    }
    return digits;
}

Records::Records(const NameTable& table, const std::optional<Ipv6Address>& server)
    : server_(server),
      serial_(table.serial),
      domain_(labelsOfText(table.domain)),
      domain_text_(table.domain + "."),
      home_prefix_(table.home_prefix) {
    for (const SliceNames& slice : table.slices) {
        const std::string name = slice.slice + "." + domain_text_;
        slices_[slice.slice][kSliceItself] = slice.address;
        by_digits_[digitsOf(slice.address)] = name;
        for (const SliverNames& run : slice.slivers) {
            for (uint32_t nth = 0; nth < run.count; ++nth) {
                const Ipv6Address address = run.addressOf(nth);
                slices_[slice.slice][run.index + nth] = address;
                by_digits_[digitsOf(address)] = std::to_string(run.index + nth) + "." + name;
            }
        }
    }
}

Found Records::findName(const Labels& labels) const {
    if (labels.empty()) return {.exists = true};
    if (labels.size() > 2) return {};
    if (server_ && labels == serverLabels()) return {.exists = true, .address = server_};
    const auto slice = slices_.find(labels.back());
    if (slice == slices_.end()) return {.exists = server_ && labels.size() == 1 && labels[0] == serverLabels()[1]};
    const auto index = labels.size() == 1 ? kSliceItself : indexOf(labels.front());
    const auto found = index ? slice->second.find(*index) : slice->second.end();
    if (found == slice->second.end()) return {};
    return {.exists = true, .address = found->second};
}

Found Records::findAddress(const std::string& digits) const {
    const auto found = by_digits_.lower_bound(digits);
    if (found == by_digits_.end() || !found->first.starts_with(digits)) {
        return {.exists = digits.size() <= reverseZoneDigits()};
    }
    if (found->first != digits) return {.exists = true};
    return {.exists = true, .name = found->second};
}

}  // namespace homeslice::names
