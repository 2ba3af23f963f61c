// Names of raw sockets, which take no IPv4-mapped addresses: over IPv4 a message is the payload of an IPv4 packet, and
// comes with that packet's header.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "base/ipv6.h"

namespace homeslice::mobility {

class RawName {
public:
    explicit RawName(const Ipv6Address& address);

    int family() const { return is_ipv4_ ? AF_INET : AF_INET6; }
    const sockaddr* generic() const {
        return is_ipv4_ ? reinterpret_cast<const sockaddr*>(&ipv4_) : reinterpret_cast<const sockaddr*>(&ipv6_);
    }
    socklen_t size() const { return is_ipv4_ ? sizeof ipv4_ : sizeof ipv6_; }

private:
    const bool is_ipv4_;
    sockaddr_in ipv4_{};
    sockaddr_in6 ipv6_{};
};

struct RawMessage {
    Ipv6Address sender;  // IPv4-mapped, over IPv4
    std::string text;    // without the header of IPv4
};

// What a raw socket has received.
RawMessage rawMessageOf(const sockaddr_storage& from, std::string text);

}  // namespace homeslice::mobility
