// Frames and connections that a sliver has no business with.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "attempt.h"

namespace homeslice::attacker {
namespace {

constexpr int kPatienceMs = 700;

int packetSocket(const Arguments&) { return answer(::socket(AF_PACKET, SOCK_RAW, htons(0x0003))); }
int rawSocket(const Arguments&) { return answer(::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)); }

std::vector<unsigned char> fromHex(const std::string& text) {
    std::vector<unsigned char> bytes;
    for (size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<unsigned char>(std::strtoul(text.substr(i, 2).c_str(), nullptr, 16)));
    }
    return bytes;
}

// A packet socket on eth0 for frames of `type`.
int openLink(unsigned type) {
    const int fd = ::socket(AF_PACKET, SOCK_RAW, htons(static_cast<uint16_t>(type)));
    sockaddr_ll link{};
    link.sll_family = AF_PACKET;
    link.sll_protocol = htons(static_cast<uint16_t>(type));
    link.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
    if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&link), sizeof link) == 0) return fd;
    ::close(fd);
    return -1;
}

// send_frames HEX...
int sendFrames(const Arguments& arguments) {
    const int fd = openLink(0x0003);
    if (fd < 0) return errno;
    for (const std::string& each : arguments) {
        const auto frame = fromHex(each);
        if (::send(fd, frame.data(), frame.size(), 0) < 0) return errno;
    }
    return 0;
}

// ask_arp HEX: sends the frame; worked when an ARP answer comes.
int askArp(const Arguments& arguments) {
    const int fd = openLink(0x0806);
    if (fd < 0) return errno;
    const auto frame = fromHex(arguments.at(0));
    if (::send(fd, frame.data(), frame.size(), 0) < 0) return errno;
    pollfd waited{fd, POLLIN, 0};
    while (::poll(&waited, 1, kPatienceMs) > 0) {
        unsigned char received[64];
        constexpr size_t kOperation = 21;  // low byte of it; 2 is a reply
        if (::recv(fd, received, sizeof received, 0) > static_cast<ssize_t>(kOperation) && received[kOperation] == 2) {
            return 0;
        }
    }
    return ETIMEDOUT;
}

sockaddr_in6 socketAddress(const std::string& address, const std::string& port) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(static_cast<uint16_t>(std::atoi(port.c_str())));
    ::inet_pton(AF_INET6, address.c_str(), &result.sin6_addr);
    return result;
}

// connect ADDRESS PORT
int connectTo(const Arguments& arguments) {
    const sockaddr_in6 there = socketAddress(arguments.at(0), arguments.at(1));
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) return errno;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    pollfd waited{fd, POLLOUT, 0};
    if (::poll(&waited, 1, kPatienceMs) == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

// ask_udp ADDRESS PORT: worked when an answer comes.
int askUdp(const Arguments& arguments) {
    const sockaddr_in6 there = socketAddress(arguments.at(0), arguments.at(1));
    const int fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd < 0) return errno;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there) < 0) return errno;
    if (::send(fd, "ask", 3, 0) < 0) return errno;
    pollfd waited{fd, POLLIN, 0};
    if (::poll(&waited, 1, kPatienceMs) == 0) return ETIMEDOUT;
    char reply[64];
    return answer(::recv(fd, reply, sizeof reply, 0));
}

// receive_udp PORT: says "ready", and worked when something comes.
int receiveUdp(const Arguments& arguments) {
    const sockaddr_in6 here = socketAddress("::", arguments.at(0));
    const int fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) < 0) return errno;
    ::printf("ready\n");
    ::fflush(stdout);
    pollfd waited{fd, POLLIN, 0};
    return ::poll(&waited, 1, 2 * kPatienceMs) > 0 ? 0 : ETIMEDOUT;
}

// bind ADDRESS: an address that is not the sliver's.
int bindTo(const Arguments& arguments) {
    const sockaddr_in6 there = socketAddress(arguments.at(0), "0");
    const int fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
    return fd < 0 ? errno : answer(::bind(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there));
}

// serve_udp PORT: echoes until it is killed.
int serveUdp(const Arguments& arguments) {
    const sockaddr_in6 here = socketAddress("::", arguments.at(0));
    const int fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) < 0) return errno;
    for (;;) {
        char buffer[2048];
        sockaddr_in6 peer{};
        socklen_t size = sizeof peer;
        const ssize_t received = ::recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &size);
        if (received < 0) return errno;
        ::sendto(fd, buffer, static_cast<size_t>(received), 0, reinterpret_cast<const sockaddr*>(&peer), size);
    }
}

constexpr Attempt kAttempts[] = {
    {"packet_socket", packetSocket},
    {"raw_socket", rawSocket},
    {"send_frames", sendFrames},
    {"ask_arp", askArp},
    {"connect", connectTo},
    {"ask_udp", askUdp},
    {"bind", bindTo},
    {"receive_udp", receiveUdp},
    {"serve_udp", serveUdp},
};

}  // namespace

std::span<const Attempt> networkAttempts() { return kAttempts; }

}  // namespace homeslice::attacker
