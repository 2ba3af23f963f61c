#include "noded/mobility/echo_socket.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

#include "base/ipv4.h"
#include "base/status.h"
#include "noded/mobility/raw_name.h"

namespace homeslice::mobility {
namespace {

struct Echo {
    uint8_t type;
    uint8_t code;
    uint16_t checksum;    // over IPv6 the kernel's business
    uint16_t identifier;  // ours, as the sequence: their byte order is
    uint16_t sequence;
    uint64_t secret;
};
static_assert(sizeof(Echo) == 16);

constexpr size_t kMostMessage = 256;  // longer ones are none of ours

// RFC 1071.
uint16_t internetChecksum(const Echo& echo) {
    std::array<uint16_t, sizeof(Echo) / sizeof(uint16_t)> words{};
    std::memcpy(words.data(), &echo, sizeof echo);
    uint32_t sum = 0;
    for (const uint16_t word : words) sum += word;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

// Of all ICMP only replies: a raw socket would get everything.
absl::Status filterReplies(int fd, bool is_ipv4) {
    if (is_ipv4) {
        const icmp_filter filter{.data = ~(1U << ICMP_ECHOREPLY)};
        if (::setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) == 0) return absl::OkStatus();
        return errnoStatus(errno, "setsockopt(ICMP_FILTER)");
    }
    icmp6_filter filter{};
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    if (::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0) return absl::OkStatus();
    return errnoStatus(errno, "setsockopt(ICMP6_FILTER)");
}

absl::Status stampReceiveTimes(int fd) {
    const int on = 1;
    if (::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0) return absl::OkStatus();
    return errnoStatus(errno, "setsockopt(SO_TIMESTAMPNS)");
}

EchoSocket::Time timeOf(const timespec& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Now, where the kernel says nothing.
EchoSocket::Time receiveTimeOf(msghdr& header) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
        timespec time{};
        std::memcpy(&time, CMSG_DATA(part), sizeof time);
        return timeOf(time);
    }
    return EchoSocket::now();
}

}  // namespace

absl::StatusOr<EchoSocket> EchoSocket::open(const Ipv6Address& self) {
    const RawName name(self);
    const bool is_ipv4 = isIpv4(self);
    UniqueFd fd(::socket(name.family(), SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         is_ipv4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6)));
    if (!fd) return errnoStatus(errno, "socket(ICMP)");
    HS_RETURN_IF_ERROR(filterReplies(fd.get(), is_ipv4));
    HS_RETURN_IF_ERROR(stampReceiveTimes(fd.get()));
    if (::bind(fd.get(), name.generic(), name.size()) != 0)
        return errnoStatus(errno, "bind(" + addressText(self) + ")");
    uint16_t identifier = 0;
    if (::getrandom(&identifier, sizeof identifier, 0) != sizeof identifier) return errnoStatus(errno, "getrandom");
    return EchoSocket(std::move(fd), is_ipv4, identifier);
}

EchoSocket::Time EchoSocket::now() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return timeOf(time);
}

bool EchoSocket::send(const Ipv6Address& to, uint16_t sequence, uint64_t secret) const {
    Echo echo{.type = is_ipv4_ ? uint8_t{ICMP_ECHO} : uint8_t{ICMP6_ECHO_REQUEST},
              .code = 0,
              .checksum = 0,
              .identifier = identifier_,
              .sequence = sequence,
              .secret = secret};
    if (is_ipv4_) echo.checksum = internetChecksum(echo);
    const RawName name(to);
    return ::sendto(fd_.get(), &echo, sizeof echo, MSG_NOSIGNAL, name.generic(), name.size()) == sizeof echo;
}

std::optional<EchoSocket::Reply> EchoSocket::receive() const {
    for (;;) {
        std::array<char, kMostMessage> buffer{};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control{};
        sockaddr_storage from{};
        iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
        msghdr header{};
        header.msg_name = &from;
        header.msg_namelen = sizeof from;
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(fd_.get(), &header, 0);
        if (got < 0) return std::nullopt;
        const RawMessage message = rawMessageOf(from, std::string(buffer.data(), static_cast<size_t>(got)));
        Echo echo{};
        if (message.text.size() != sizeof echo) continue;
        std::memcpy(&echo, message.text.data(), sizeof echo);
        if (echo.identifier != identifier_) continue;
        return Reply{message.sender, echo.sequence, echo.secret, receiveTimeOf(header)};
    }
}

}  // namespace homeslice::mobility
