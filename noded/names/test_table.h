// For tests: a table of two slices, and messages by libldns.
#pragma once

#include <ldns/ldns.h>

#include <memory>
#include <string>

#include "spec/slice_names.h"

namespace homeslice::names {

inline Ipv6Address addressOf(const std::string& text) { return Ipv6Address::parse(text).value(); }

inline NameTable exampleTable() {
    return {.serial = 42,
            .domain = "slivers.internal",
            .home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value(),
            .slices = {{.slice = "db", .address = addressOf("fd51:1ce:0:2::1"), .owner = "", .slivers = {}},
                       {.slice = "web",
                        .address = addressOf("fd51:1ce:0:1::1"),
                        .owner = "alice",
                        .slivers = {{.index = 1, .address = addressOf("fd51:1ce:0:1::1:1")},
                                    {.index = 2, .address = addressOf("fd51:1ce:0:1::1:2")}}}}};
}

using Message = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

inline std::string wireOf(const ldns_pkt* message) {
    uint8_t* bytes = nullptr;
    size_t size = 0;
    if (ldns_pkt2wire(&bytes, message, &size) != LDNS_STATUS_OK) return "";
    std::string wire(reinterpret_cast<const char*>(bytes), size);
    LDNS_FREE(bytes);
    return wire;
}

inline Message parsed(const std::string& wire) {
    ldns_pkt* message = nullptr;
    ldns_wire2pkt(&message, reinterpret_cast<const uint8_t*>(wire.data()), wire.size());
    return {message, ldns_pkt_free};
}

inline Message makeQuery(const std::string& name, ldns_rr_type type, ldns_rr_class in = LDNS_RR_CLASS_IN) {
    ldns_pkt* message = nullptr;
    ldns_pkt_query_new_frm_str(&message, name.c_str(), type, in, LDNS_RD);
    ldns_pkt_set_id(message, 4711);
    return {message, ldns_pkt_free};
}

// The first record of a section as text without its owner and time to live: "IN AAAA fd51:1ce:0:1::1"; "" for none.
inline std::string firstOf(const ldns_rr_list* section) {
    if (ldns_rr_list_rr_count(section) == 0) return "";
    char* text = ldns_rr2str(ldns_rr_list_rr(section, 0));
    std::string line(text);
    LDNS_FREE(text);
    for (char& c : line)
        if (c == '\t' || c == '\n') c = ' ';
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line.substr(line.find(" IN ") + 1);
}

}  // namespace homeslice::names
