// The values of options. Each function takes the option's name for its message: one line that says what is wrong and
// what is accepted (INVALID_ARGUMENT).
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace homeslice::ctl {

struct PortSpec {
    uint8_t protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
    uint16_t port = 0;
    bool operator==(const PortSpec&) const = default;
};

// A sliver ("web/2"), or all slivers of a slice ("web").
struct SliverRef {
    std::string slice;
    std::optional<uint32_t> index;
    bool operator==(const SliverRef&) const = default;
};

// Bytes: a whole number above 0 with K, M, G or T (powers of 1024; KiB, KB and so on mean the same).
absl::StatusOr<uint64_t> parseSize(const std::string& option, const std::string& text);
// A whole number above 0 with s, m, h or d; at most 2^32 - 1 seconds.
absl::StatusOr<std::chrono::seconds> parseDuration(const std::string& option, const std::string& text);
// Thousandths of a CPU: "1.5", at most three decimals, at least 0.001.
absl::StatusOr<uint32_t> parseCpus(const std::string& option, const std::string& text);
// A whole number from 1 to `most`.
absl::StatusOr<uint32_t> parseCount(const std::string& option, const std::string& text, uint32_t most);
// "80/tcp,443,53/udp", each element of `texts` one or more ports; TCP unless told. No port twice.
absl::StatusOr<std::vector<PortSpec>> parsePorts(const std::string& option, const std::vector<std::string>& texts);
// Names separated by commas, none twice.
absl::StatusOr<std::vector<std::string>> parseNames(const std::string& option, const std::string& text);
// SLICE or SLICE/INDEX.
absl::StatusOr<SliverRef> parseSliverRef(const std::string& text);
// SLICE/INDEX only.
absl::StatusOr<SliverRef> parseOneSliver(const std::string& text);

}  // namespace homeslice::ctl
