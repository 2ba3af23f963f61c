// Neighbour discovery messages of our own making (RFC 4861), on one link. Needs CAP_NET_RAW. Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>

#include "base/ipv6.h"
#include "base/unique_fd.h"
#include "noded/sys/netlink.h"

namespace homeslice::sys {

class NeighbourDiscovery {
public:
    // On a link of the caller's network namespace.
    static absl::StatusOr<NeighbourDiscovery> open(const Link& link);

    // "`target` is here now", to all nodes: unsolicited, from a router, overriding what they know (7.2.6).
    absl::Status advertise(const Ipv6Address& target) const;
    // "Does anyone have `target`?", from the unspecified address: duplicate address detection (RFC 4862 5.4.2).
    absl::Status probe(const Ipv6Address& target) const;

    // Readable when nextClaim() may have something.
    int fd() const { return socket_.get(); }
    // An address that another host on the link has, or probes for too, as the next message says; nothing when there is
    // no more message. Never blocks.
    std::optional<Ipv6Address> nextClaim() const;

private:
    NeighbourDiscovery(UniqueFd socket, UniqueFd raw, const Link& link)
        : socket_(std::move(socket)), raw_(std::move(raw)), link_(link) {}

    UniqueFd socket_;
    UniqueFd raw_;  // for a source that is unspecified
    Link link_;
};

}  // namespace homeslice::sys
