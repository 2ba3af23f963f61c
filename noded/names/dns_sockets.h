// The sockets of a DNS server.
#pragma once

#include <absl/status/statusor.h>
#include <netinet/in.h>

#include <optional>
#include <string>

#include "base/ipv6.h"
#include "base/unique_fd.h"

namespace homeslice::names {

// Non-blocking, bound; the TCP one listens. `port` 0: any.
absl::StatusOr<UniqueFd> openUdp(const Ipv6Address& address, uint16_t port);
absl::StatusOr<UniqueFd> openTcp(const Ipv6Address& address, uint16_t port);
uint16_t portOf(int socket);

// A datagram, and between whom: the answer goes back from the address that was asked.
struct Datagram {
    sockaddr_in6 peer{};
    in6_addr local{};
    std::string data;

    Ipv6Address asker() const { return Ipv6Address(peer.sin6_addr); }
};

// Nothing when none is there. One of more than 4096 bytes comes without data.
std::optional<Datagram> receive(int socket);
// Lost when the socket's buffer is full, as any datagram may be.
void send(int socket, const Datagram& datagram);

}  // namespace homeslice::names
