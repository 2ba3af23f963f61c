// DNS over TCP (RFC 7766): messages with their length before them, several in one connection, answered in any order.
// Who opens too many, sends too long ones or is too slow loses them. Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/ipv6.h"
#include "base/unique_fd.h"
#include "noded/names/loop.h"

namespace homeslice::names {

class TcpConnections {
public:
    // A message that came; false ends the connection. May call send().
    using Take = std::function<bool(uint64_t id, const Ipv6Address& peer, const std::string& message)>;

    TcpConnections(Loop& loop, Take take) : loop_(loop), take_(std::move(take)) {}
    ~TcpConnections();
    TcpConnections(const TcpConnections&) = delete;
    TcpConnections& operator=(const TcpConnections&) = delete;

    // `asker`: in whose name connections are counted. With too many the one that is nearest to its end goes first.
    void add(UniqueFd fd, const Ipv6Address& peer, const Ipv6Address& asker, Monotonic::time_point now);
    // Nothing when the connection is gone.
    void send(uint64_t id, const std::string& message);
    // Ends those whose time has come.
    void expire(Monotonic::time_point now);

private:
    struct Connection {
        UniqueFd fd;
        Ipv6Address peer;
        Ipv6Address asker;
        Monotonic::time_point end;
        std::string in{};
        std::string out{};
    };

    void handle(uint64_t id, uint32_t events);
    bool read(uint64_t id, Connection& connection);
    bool takeMessages(uint64_t id);
    bool write(Connection& connection);
    bool follow(uint64_t id, const Connection& connection);
    void close(uint64_t id);
    void makeRoom(const Ipv6Address& asker);

    Loop& loop_;
    const Take take_;
    uint64_t last_id_ = 0;
    std::map<uint64_t, Connection> connections_;
};

}  // namespace homeslice::names
