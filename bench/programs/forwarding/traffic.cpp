#include "traffic.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <array>
#include <string_view>

#include "base/clock.h"
#include "base/ipv6.h"
#include "base/status.h"
#include "network.h"

namespace homeslice::bench {
namespace {

constexpr size_t kChunk = 256U << 10;
constexpr std::chrono::milliseconds kSlowStart{40};  // not measured
// Of a connection, at both ends, and twice that for the kernel. Without a fixed size each connection would find one of
// its own, and with it its own share of hits in the processor's caches: 20 % of throughput at random.
constexpr int kTcpBuffer = 200'000;
// Reno sends what the windows allow, and nothing gets lost here. A congestion control that paces (BBR, where a
// distribution or a machine's owner has made it the default) sets a timer for nearly each segment instead: on a virtual
// machine that costs as much as the path, and what is measured hangs on who is woken when.
constexpr std::string_view kCongestionControl = "reno";

sockaddr_in6 socketAddress(const std::string& address, uint16_t port) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(port);
    result.sin6_addr = Ipv6Address::parse(address).value_or(Ipv6Address()).toIn6();
    return result;
}

// `buffer`: SO_RCVBUF or SO_SNDBUF.
void fixTerms(int fd, int type, int buffer) {
    if (type != SOCK_STREAM) return;
    ::setsockopt(fd, SOL_SOCKET, buffer, &kTcpBuffer, sizeof(kTcpBuffer));
    ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kCongestionControl.data(), kCongestionControl.size());
}

UniqueFd bound(const Box& box, int type, uint16_t port) {
    UniqueFd fd;
    box.run([&] {
        fd.reset(::socket(AF_INET6, type | SOCK_CLOEXEC, 0));
        const sockaddr_in6 here = socketAddress("::", port);
        if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof(here)) != 0) fd.reset();
        fixTerms(fd.get(), type, SO_RCVBUF);
        if (type == SOCK_STREAM) ::listen(fd.get(), 8);
    });
    return fd;
}

// A path that goes nowhere fails instead of hanging.
void limitWaits(int fd) {
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

double secondsSince(Monotonic::time_point begin) {
    return std::chrono::duration<double>(Monotonic::now() - begin).count();
}

// What the other side has acknowledged.
absl::StatusOr<uint64_t> acknowledged(int fd) {
    tcp_info info{};
    socklen_t length = sizeof(info);
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return errnoStatus(errno, "TCP_INFO");
    return info.tcpi_bytes_acked;
}

absl::Status sendFor(int fd, std::chrono::milliseconds duration) {
    static const std::string kBytes(kChunk, 'x');
    const auto end = Monotonic::now() + duration;
    while (Monotonic::now() < end)
        if (::send(fd, kBytes.data(), kBytes.size(), MSG_NOSIGNAL) < 0) return errnoStatus(errno, "send");
    return absl::OkStatus();
}

}  // namespace

Server::Server(const Box& box)
    : listener_(bound(box, SOCK_STREAM, kSinkPort)), datagrams_(bound(box, SOCK_DGRAM, kEchoPort)) {
    threads_.emplace_back([this] { sink(); });
    threads_.emplace_back([this] { echo(); });
}

Server::~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    ::shutdown(datagrams_.get(), SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
}

void Server::sink() const {
    std::string buffer(kChunk, '\0');
    for (;;) {
        const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) return;
        limitWaits(connection.get());
        while (::recv(connection.get(), buffer.data(), buffer.size(), 0) > 0) continue;
    }
}

// The answer goes out from the address that was asked: the control message says which, both ways.
void Server::echo() const {
    const int on = 1;
    ::setsockopt(datagrams_.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
    std::array<char, 2048> buffer{};
    std::array<char, 256> control{};
    sockaddr_in6 peer{};
    for (;;) {
        iovec data{.iov_base = buffer.data(), .iov_len = buffer.size()};
        msghdr message{};
        message.msg_name = &peer;
        message.msg_namelen = sizeof(peer);
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(datagrams_.get(), &message, 0);
        if (got <= 0) return;
        data.iov_len = static_cast<size_t>(got);
        ::sendmsg(datagrams_.get(), &message, 0);
    }
}

absl::StatusOr<UniqueFd> openSocket(const Box& box, int type, const std::string& address, uint16_t port) {
    absl::StatusOr<UniqueFd> result = internalError("no socket");
    box.run([&] {
        UniqueFd fd(::socket(AF_INET6, type | SOCK_CLOEXEC, 0));
        limitWaits(fd.get());
        fixTerms(fd.get(), type, SO_SNDBUF);
        if (address.empty()) {
            result = std::move(fd);
            return;
        }
        const sockaddr_in6 to = socketAddress(address, port);
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0)
            result = errnoStatus(errno, "connect to " + address);
        else
            result = std::move(fd);
    });
    return result;
}

absl::StatusOr<double> throughput(const Box& from, const std::string& address, std::chrono::milliseconds duration) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openSocket(from, SOCK_STREAM, address, kSinkPort));
    HS_RETURN_IF_ERROR_CTX(sendFor(fd.get(), kSlowStart), address);
    const auto begin = Monotonic::now();
    HS_ASSIGN_OR_RETURN(const uint64_t before, acknowledged(fd.get()));
    HS_RETURN_IF_ERROR_CTX(sendFor(fd.get(), duration), address);
    HS_ASSIGN_OR_RETURN(const uint64_t after, acknowledged(fd.get()));
    return static_cast<double>(after - before) / secondsSince(begin);
}

absl::StatusOr<std::vector<double>> roundTrips(const Box& from, const std::string& address, unsigned count) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openSocket(from, SOCK_DGRAM, address, kEchoPort));
    std::vector<double> seconds;
    std::string text(64, 'x');
    for (unsigned i = 0; i < count; ++i) {
        const auto begin = Monotonic::now();
        ::send(fd.get(), text.data(), text.size(), 0);
        if (::recv(fd.get(), text.data(), text.size(), 0) < 0) return errnoStatus(errno, "no answer from " + address);
        seconds.push_back(secondsSince(begin));
    }
    return seconds;
}

}  // namespace homeslice::bench
