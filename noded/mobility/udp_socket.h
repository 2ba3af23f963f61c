// UDP over IPv4 for the keepalives.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <span>

#include "base/unique_fd.h"
#include "noded/mobility/forwarder.h"

namespace homeslice::mobility {

// Bound to the tunnels' port (4191) at `self`, also when others of this node are; with `peer`, hears that one alone.
absl::StatusOr<UniqueFd> openUdp(const Ipv6Address& self, const std::optional<Ipv6Address>& peer = {});

struct Received {
    size_t size = 0;
    UdpEndpoint from;
};
// Nothing when nothing waits there.
std::optional<Received> receiveUdp(int fd, std::span<uint8_t> buffer);
void sendUdp(int fd, std::span<const uint8_t> datagram, const UdpEndpoint& to);

}  // namespace homeslice::mobility
