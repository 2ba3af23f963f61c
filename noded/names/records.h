// The table of names, made fit for questions: from names to addresses and back. Immutable; threads: any.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spec/slice_names.h"

namespace homeslice::names {

// From the most specific one up: {"2", "web", "slivers", "internal"}; in lower case.
using Labels = std::vector<std::string>;

// What is known of a name. `exists` without addresses: something below it is.
struct Found {
    bool exists = false;
    std::optional<Ipv6Address> address{};  // of a sliver or slice
    std::string name{};                    // of an address, absolute: "2.web.slivers.internal."
};

class Records {
public:
    // `server`: where the one that answers is, as the zones' name server; unset where only slivers ask.
    explicit Records(const NameTable& table, const std::optional<Ipv6Address>& server = std::nullopt);

    uint64_t serial() const { return serial_; }
    const Labels& domain() const { return domain_; }
    // With a dot at its end.
    const std::string& domainText() const { return domain_text_; }
    const Ipv6Prefix& homePrefix() const { return home_prefix_; }

    // `labels` are those before the domain: {"2", "web"}, {"web"}, {} for the domain itself.
    Found findName(const Labels& labels) const;
    // By the digits of ip6.arpa (RFC 3596), most significant first; some or all 32. Those of an address of ours.
    Found findAddress(const std::string& digits) const;
    // How many digits name the zone that the home prefix's addresses are in: those that it touches.
    size_t reverseZoneDigits() const { return (home_prefix_.length() + 3U) / 4; }

private:
    std::map<std::string, std::map<uint32_t, Ipv6Address>> slices_;  // by name and index; 0: the slice's own
    std::map<std::string, std::string> by_digits_;                   // 32 digits -> name
    std::optional<Ipv6Address> server_;
    uint64_t serial_;
    Labels domain_;
    std::string domain_text_;
    Ipv6Prefix home_prefix_;
};

// Of the zones' name server, before the domain: no slice's name, for its first label is no index.
const Labels& serverLabels();
// The labels of a name as text, without escapes.
Labels labelsOfText(const std::string& text);
// 32 hexadecimal digits.
std::string digitsOf(const Ipv6Address& address);

}  // namespace homeslice::names
