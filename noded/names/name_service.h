// The node's name service: its slivers' resolver, and the DNS server for outsiders where one was asked for. Both answer
// from the table that the controller gave last, whether the controller is there or not. Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "noded/names/dns_server.h"
#include "spec/slice_names.h"

namespace homeslice::names {

struct Endpoint {
    Ipv6Address address;  // as DnsServer::Config's
    uint16_t port = 0;
};

class NameService {
public:
    struct Config {
        bool slivers = false;                   // this node has some
        bool forwards = true;                   // what they ask about the rest of the world
        std::vector<std::string> name_servers;  // to forward to; empty: those of /etc/resolv.conf
        std::optional<Endpoint> outsiders{};    // where to serve others
    };
    // An error when outsiders cannot be served where `config` says.
    static absl::StatusOr<std::unique_ptr<NameService>> start(Config config);

    // Takes effect for the next question. Gives the node the resolver's address (on `lo`, deprecated, so that nothing
    // begins with it), which it keeps: without noded, slivers are then refused at once. An error concerns slivers only;
    // the call may be repeated.
    absl::Status set(const NameTable& table);

private:
    explicit NameService(Config config) : config_(std::move(config)) {}
    absl::Status serveSlivers(const Ipv6Prefix& home_prefix);

    const Config config_;
    std::unique_ptr<DnsServer> outsiders_;

    std::mutex mutex_;
    Ipv6Prefix served_;  // the home prefix that `slivers_` is for
    std::unique_ptr<DnsServer> slivers_;
};

}  // namespace homeslice::names
