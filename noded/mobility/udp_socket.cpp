#include "noded/mobility/udp_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/mobility/bpf/layout.h"

namespace homeslice::mobility {
namespace {

sockaddr_in nameOf(const UdpEndpoint& endpoint) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(endpoint.port);
    name.sin_addr = toIn4(endpoint.address);
    return name;
}

const sockaddr* generic(const sockaddr_in& name) { return reinterpret_cast<const sockaddr*>(&name); }

}  // namespace

absl::StatusOr<UniqueFd> openUdp(const Ipv6Address& self, const std::optional<Ipv6Address>& peer) {
    const UdpEndpoint here{.address = self, .port = HS_UDP_TUNNEL_PORT};
    const std::string what = endpointText(here.address, here.port) + " (UDP)";
    UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return errnoStatus(errno, "socket");
    const int on = 1;
    if (peer) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in name = nameOf(here);
    if (::bind(fd.get(), generic(name), sizeof name) != 0) return errnoStatus(errno, "bind to " + what);
    if (!peer) return fd;
    const sockaddr_in there = nameOf({.address = *peer, .port = HS_UDP_TUNNEL_PORT});
    if (::connect(fd.get(), generic(there), sizeof there) == 0) return fd;
    return errnoStatus(errno, "connect " + what + " to " + addressText(*peer));
}

std::optional<Received> receiveUdp(int fd, std::span<uint8_t> buffer) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        ::recvfrom(fd, buffer.data(), buffer.size(), MSG_TRUNC, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) return std::nullopt;  // also what ICMP said of an earlier one
    return Received{.size = static_cast<size_t>(got),
                    .from = {.address = mappedAddress(from.sin_addr), .port = ntohs(from.sin_port)}};
}

void sendUdp(int fd, std::span<const uint8_t> datagram, const UdpEndpoint& to) {
    const sockaddr_in name = nameOf(to);
    if (::sendto(fd, datagram.data(), datagram.size(), MSG_NOSIGNAL, generic(name), sizeof name) < 0)
        logDebug("keepalive to {}: {}", endpointText(to.address, to.port), std::strerror(errno));
}

}  // namespace homeslice::mobility
