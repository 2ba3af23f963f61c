// A DNS server on one address, UDP and TCP (RFC 7766), in a thread of its own. Answers from Records; what these leave
// to others goes to the node's name servers. Whoever asks too much, sends rubbish or opens connections without end
// hurts himself: askers have a rate, connections a number and a time.
//
// Sockets belong to the network namespace of start()'s caller. Threads: setRecords() from any.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "noded/names/answer.h"
#include "noded/names/records.h"

namespace homeslice::names {

class DnsServer {
public:
    struct Config {
        Ipv6Address address;  // "::": all, IPv4's too; ::ffff:a.b.c.d: an IPv4 address
        uint16_t port = 53;
        Audience audience = Audience::outsiders;
        Ipv6Prefix askers;                      // others hear nothing; length 0: anybody
        bool forwards = false;                  // for slivers; else what is not ours is refused
        std::vector<std::string> name_servers;  // to forward to; empty: those of /etc/resolv.conf
        double rate = 100;                      // questions a second of one asker; outsiders count by /64
        double burst = 200;
    };
    // Answers SERVFAIL until it has records. ALREADY_EXISTS or UNAVAILABLE when another server has the port.
    static absl::StatusOr<std::unique_ptr<DnsServer>> start(const Config& config);
    virtual ~DnsServer() = default;

    virtual void setRecords(std::shared_ptr<const Records> records) = 0;
    // The port, where 0 was asked for.
    virtual uint16_t port() const = 0;
};

}  // namespace homeslice::names
