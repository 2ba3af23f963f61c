#include "noded/mobility/slow_link.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <deque>

namespace homeslice::mobility {
namespace {

using Time = std::chrono::steady_clock::time_point;

struct Frame {
    Time due;
    std::string bytes;
};

UniqueFd openLink(TestHost& host, const std::string& link) {
    UniqueFd fd;
    const int index = host.index(link);
    host.run([&] {
        fd.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
        sockaddr_ll name{};
        name.sll_family = AF_PACKET;
        name.sll_protocol = htons(ETH_P_ALL);
        name.sll_ifindex = index;
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0) << errno;
        const packet_mreq everything{.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC, .mr_alen = 0, .mr_address = {}};
        EXPECT_EQ(::setsockopt(fd.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything, sizeof everything), 0);
    });
    return fd;
}

// What has come from the cable, not what we put into it.
void takeAll(int fd, Time due, std::deque<Frame>& frames) {
    std::array<char, 1 << 16> buffer;
    for (;;) {
        sockaddr_ll from{};
        socklen_t size = sizeof from;
        const ssize_t got = ::recvfrom(fd, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got < 0) return;
        if (from.sll_pkttype != PACKET_OUTGOING) frames.push_back({due, {buffer.data(), static_cast<size_t>(got)}});
    }
}

void giveDue(int fd, Time now, std::deque<Frame>& frames) {
    for (; !frames.empty() && frames.front().due <= now; frames.pop_front())
        [[maybe_unused]] const ssize_t sent =
            ::send(fd, frames.front().bytes.data(), frames.front().bytes.size(), MSG_NOSIGNAL);
}

}  // namespace

SlowLink::SlowLink(TestHost& host, const std::string& one, const std::string& other, std::chrono::milliseconds delay)

    : delay_(delay), sockets_{openLink(host, one), openLink(host, other)} {
    thread_ = std::thread([this] {
        std::deque<Frame> there;
        std::deque<Frame> back;
        while (!stopping_) {
            std::array<pollfd, 2> ready{{{.fd = sockets_[0].get(), .events = POLLIN, .revents = 0},
                                         {.fd = sockets_[1].get(), .events = POLLIN, .revents = 0}}};
            ::poll(ready.data(), ready.size(), there.empty() && back.empty() ? 10 : 1);
            const Time now = std::chrono::steady_clock::now();
            const Time due = now + delay_;
            takeAll(sockets_[0].get(), due, there);
            takeAll(sockets_[1].get(), due, back);
            giveDue(sockets_[1].get(), now, there);
            giveDue(sockets_[0].get(), now, back);
        }
    });
}

SlowLink::~SlowLink() {
    stopping_ = true;
    thread_.join();
}

}  // namespace homeslice::mobility
