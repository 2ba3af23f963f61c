// ICMP echo (RFC 4443 4, RFC 792) from this node's own address: the kernel of any other answers. Threads: one caller at
// a time.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/ipv6.h"
#include "base/unique_fd.h"

namespace homeslice::mobility {

class EchoSocket {
public:
    // A raw socket in the caller's network namespace. `self`: the address that requests come from, IPv4-mapped or not.
    static absl::StatusOr<EchoSocket> open(const Ipv6Address& self);

    // The kernel's clock, as its receive times are read from it.
    using Time = std::chrono::nanoseconds;
    static Time now();

    // `secret` comes back with the reply: who has not seen the request cannot make one up. False when it cannot be
    // sent now.
    bool send(const Ipv6Address& to, uint16_t sequence, uint64_t secret) const;

    struct Reply {
        Ipv6Address sender;
        uint16_t sequence = 0;
        uint64_t secret = 0;
        Time received;  // by the kernel, whenever it was read
    };
    // The next one that has come; nothing when there is none. What is no reply to this socket is left out.
    std::optional<Reply> receive() const;

    // To be polled for reading.
    int fd() const { return fd_.get(); }

private:
    EchoSocket(UniqueFd fd, bool is_ipv4, uint16_t identifier)
        : fd_(std::move(fd)), is_ipv4_(is_ipv4), identifier_(identifier) {}

    UniqueFd fd_;
    bool is_ipv4_;
    uint16_t identifier_;
};

}  // namespace homeslice::mobility
