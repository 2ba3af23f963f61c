#include "noded/names/dns_sockets.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/status.h"

namespace homeslice::names {
namespace {

constexpr int kBacklog = 64;
constexpr size_t kMaxDatagram = 4096;

sockaddr_in6 nameOf(const Ipv6Address& address, uint16_t port) {
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    name.sin6_addr = address.toIn6();
    return name;
}

absl::Status setOption(int fd, int level, int option, int value) {
    if (::setsockopt(fd, level, option, &value, sizeof value) == 0) return absl::OkStatus();
    return errnoStatus(errno, "setsockopt");
}

absl::StatusOr<UniqueFd> openSocket(int type, const Ipv6Address& address, uint16_t port) {
    UniqueFd fd(::socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return errnoStatus(errno, "socket");
    HS_RETURN_IF_ERROR(setOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0));
    if (type == SOCK_STREAM) HS_RETURN_IF_ERROR(setOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1));
    const sockaddr_in6 name = nameOf(address, port);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
        return errnoStatus(errno, "bind([" + address.toString() + "]:" + std::to_string(port) + ")");
    }
    return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> openUdp(const Ipv6Address& address, uint16_t port) {
    HS_ASSIGN_OR_RETURN(UniqueFd fd, openSocket(SOCK_DGRAM, address, port));
    HS_RETURN_IF_ERROR(setOption(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    // Answers fit every path; what learns a path's MTU from forged errors is better off without.
    HS_RETURN_IF_ERROR(setOption(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT));
    return fd;
}

absl::StatusOr<UniqueFd> openTcp(const Ipv6Address& address, uint16_t port) {
    HS_ASSIGN_OR_RETURN(UniqueFd fd, openSocket(SOCK_STREAM, address, port));
    if (::listen(fd.get(), kBacklog) != 0) return errnoStatus(errno, "listen");
    return fd;
}

uint16_t portOf(int socket) {
    sockaddr_in6 name{};
    socklen_t size = sizeof name;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
    return ntohs(name.sin6_port);
}

std::optional<Datagram> receive(int socket) {
    std::array<char, kMaxDatagram> buffer;
    alignas(cmsghdr) std::array<char, 256> control{};
    Datagram datagram;
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr message{};
    message.msg_name = &datagram.peer;
    message.msg_namelen = sizeof datagram.peer;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket, &message, 0);
    if (size < 0) return std::nullopt;
    if ((message.msg_flags & MSG_TRUNC) == 0) datagram.data.assign(buffer.data(), static_cast<size_t>(size));
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != IPPROTO_IPV6 || item->cmsg_type != IPV6_PKTINFO) continue;
        in6_pktinfo about{};
        std::memcpy(&about, CMSG_DATA(item), sizeof about);
        datagram.local = about.ipi6_addr;
    }
    return datagram;
}

void send(int socket, const Datagram& datagram) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
    sockaddr_in6 peer = datagram.peer;
    std::string data = datagram.data;
    iovec part{.iov_base = data.data(), .iov_len = data.size()};
    msghdr message{};
    message.msg_name = &peer;
    message.msg_namelen = sizeof peer;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = IPPROTO_IPV6;
    item->cmsg_type = IPV6_PKTINFO;
    item->cmsg_len = CMSG_LEN(sizeof(in6_pktinfo));
    const in6_pktinfo from{.ipi6_addr = datagram.local, .ipi6_ifindex = 0};
    std::memcpy(CMSG_DATA(item), &from, sizeof from);
    [[maybe_unused]] const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

}  // namespace homeslice::names
