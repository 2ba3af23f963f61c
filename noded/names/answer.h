// Answers DNS messages (RFC 1034, 1035, 3596, 6891) from the table of names. Pure; the wire format is libldns's work.
//
// Two zones, with authority: the domain (AAAA of slices and slivers), and the part of ip6.arpa that belongs to the home
// prefix (PTR). A name that is not there is denied with the zone's SOA, whose minimum (RFC 2308) is a second: a slice
// that is made now should be found now.
#pragma once

#include <string>

#include "noded/names/records.h"

namespace homeslice::names {

enum class Audience {
    slivers,    // may also ask without the domain, "2.web", and about the rest of the world
    outsiders,  // about the two zones only
};

enum class Verdict {
    answer,
    forward,  // not ours: for a name server of the node
    ignore,   // no question: an answer to it could go round for ever
};

struct Reply {
    Verdict verdict = Verdict::ignore;
    std::string message{};  // with `answer`
};

enum class Transport { udp, tcp };

// The reply to `query`, as it came. Over UDP it is no longer than 512 bytes, or what the query says that its sender
// takes, but at most kUdpBytes: what is longer is truncated.
Reply answer(const Records& records, const std::string& query, Audience audience, Transport transport);

// In place of an answer. Empty when `query` is none.
std::string serverFailure(const std::string& query);
// Not for this server (REFUSED).
std::string refusal(const std::string& query);
// The asker should come back by TCP.
std::string truncated(const std::string& query);
// `response`, as a name server gave it, for whom has sent `query`.
std::string passOn(const std::string& response, const std::string& query, Transport transport);

// Over UDP (RFC 6891): less than any path's MTU, so that nothing is fragmented.
constexpr size_t kUdpBytes = 1232;

}  // namespace homeslice::names
