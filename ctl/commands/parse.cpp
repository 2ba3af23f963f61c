#include "ctl/commands/parse.h"

#include <netinet/in.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/names.h"
#include "base/status.h"
#include "ctl/commands/quantity.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMaxIndex = 65535;

// K, KB and KiB mean the same.
const std::map<std::string, uint64_t>& sizeFactors() {
    static const std::map<std::string, uint64_t> kFactors = [] {
        std::map<std::string, uint64_t> factors{{"", 1}, {"B", 1}};
        uint64_t factor = 1;
        for (const char* letters : {"Kk", "Mm", "Gg", "Tt"}) {
            factor <<= 10;
            for (const char letter : std::string(letters)) {
                for (const char* ending : {"", "B", "iB"}) factors[letter + std::string(ending)] = factor;
            }
        }
        return factors;
    }();
    return kFactors;
}

std::optional<uint8_t> protocolNumber(const std::string& name) {
    if (name == "tcp") return uint8_t{IPPROTO_TCP};
    if (name == "udp") return uint8_t{IPPROTO_UDP};
    return std::nullopt;
}

std::optional<PortSpec> parsePort(const std::string& text) {
    const size_t slash = text.find('/');
    const auto port = wholeNumber(text.substr(0, slash), 65535);
    const auto protocol = protocolNumber(slash == std::string::npos ? "tcp" : text.substr(slash + 1));
    if (!port || !protocol) return std::nullopt;
    return PortSpec{.protocol = *protocol, .port = static_cast<uint16_t>(*port)};
}

}  // namespace

absl::StatusOr<uint64_t> parseSize(const std::string& option, const std::string& text) {
    const auto bytes = scaled(text, sizeFactors(), uint64_t{std::numeric_limits<int64_t>::max()});
    if (!bytes) return refuse(option, text, "a whole number above 0 with K, M, G or T, such as 512M or 2G");
    return *bytes;
}

absl::StatusOr<std::chrono::seconds> parseDuration(const std::string& option, const std::string& text) {
    static const std::map<std::string, uint64_t> kFactors{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    const auto seconds = scaled(text, kFactors, std::numeric_limits<uint32_t>::max());
    if (!seconds) return refuse(option, text, "a whole number above 0 with s, m, h or d, such as 90s or 7d");
    return std::chrono::seconds(*seconds);
}

absl::StatusOr<uint32_t> parseCpus(const std::string& option, const std::string& text) {
    constexpr uint32_t kMost = 10000;
    constexpr size_t kDecimals = 3;
    const absl::Status refusal =
        refuse(option, text, "a number from 0.001 to 10000 with at most three decimals, such as 0.5 or 2");
    const size_t dot = text.find('.');
    const std::string whole = text.substr(0, dot);
    std::string decimals = dot == std::string::npos ? "0" : text.substr(dot + 1);
    const bool digits = (whole + decimals).find_first_not_of("0123456789") == std::string::npos;
    if (!digits || whole.empty() || whole.size() > 5 || decimals.empty() || decimals.size() > kDecimals) {
        return refusal;
    }
    decimals.resize(kDecimals, '0');
    const auto millis = std::stoul(whole) * 1000 + std::stoul(decimals);
    if (millis == 0 || millis > kMost * 1000UL) return refusal;
    return static_cast<uint32_t>(millis);
}

absl::StatusOr<uint32_t> parseCount(const std::string& option, const std::string& text, uint32_t most) {
    const auto count = wholeNumber(text, most);
    if (!count) return refuse(option, text, "a whole number from 1 to " + std::to_string(most));
    return *count;
}

absl::StatusOr<std::vector<PortSpec>> parsePorts(const std::string& option, const std::vector<std::string>& texts) {
    std::vector<PortSpec> ports;
    for (const std::string& text : texts) {
        for (const std::string& part : splitAt(text, ',')) {
            const auto port = parsePort(part);
            if (!port)
                return refuse(option, part, "a port from 1 to 65535, alone or with /tcp or /udp, such as 80/tcp");
            if (std::find(ports.begin(), ports.end(), *port) != ports.end()) {
                return invalidArgument(option + " names '" + part + "' twice");
            }
            ports.push_back(*port);
        }
    }
    return ports;
}

absl::StatusOr<std::vector<std::string>> parseNames(const std::string& option, const std::string& text) {
    std::vector<std::string> names;
    for (const std::string& name : splitAt(text, ',')) {
        HS_RETURN_IF_ERROR(checkName(option + " name", name));
        if (std::find(names.begin(), names.end(), name) != names.end()) {
            return invalidArgument(option + " names '" + name + "' twice");
        }
        names.push_back(name);
    }
    return names;
}

absl::StatusOr<SliverRef> parseSliverRef(const std::string& text) {
    const size_t slash = text.find('/');
    SliverRef ref{.slice = text.substr(0, slash), .index = std::nullopt};
    HS_RETURN_IF_ERROR(checkName("slice name", ref.slice));
    if (slash == std::string::npos) return ref;
    ref.index = wholeNumber(text.substr(slash + 1), kMaxIndex);
    if (!ref.index) return refuse("sliver", text, "SLICE/INDEX with an index from 1 to 65535, such as web/2");
    return ref;
}

absl::StatusOr<SliverRef> parseOneSliver(const std::string& text) {
    HS_ASSIGN_OR_RETURN(SliverRef ref, parseSliverRef(text));
    if (!ref.index) return refuse("sliver", text, "SLICE/INDEX, such as " + ref.slice + "/1");
    return ref;
}

}  // namespace homeslice::ctl
