#include "tests/support/echo_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace homeslice::testing_support {
namespace {

using std::chrono::steady_clock;

constexpr uint16_t kEchoPort = 7;
constexpr std::chrono::milliseconds kPause{10};
constexpr int kLookMs = 100;

UniqueFd socketOf(const std::string& host, int type) {
    const UniqueFd netns(::open(("/run/netns/hs-lab-" + host).c_str(), O_RDONLY | O_CLOEXEC));
    UniqueFd result;
    std::thread([&] {
        EXPECT_EQ(::setns(netns.get(), CLONE_NEWNET), 0) << std::strerror(errno);
        result.reset(::socket(AF_INET6, type | SOCK_CLOEXEC, 0));
    }).join();
    return result;
}

bool connectTo(int fd, const std::string& address) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(kEchoPort);
    EXPECT_EQ(::inet_pton(AF_INET6, address.c_str(), &to.sin6_addr), 1) << address;
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

}  // namespace

EchoStream::EchoStream(const std::string& address, const std::string& host) : fd_(socketOf(host, SOCK_STREAM)) {
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connected_ = connectTo(fd_.get(), address) && greeted();
    if (!connected_) error_ = std::strerror(errno);
    thread_ = std::thread([this] { run(); });
}

void EchoStream::stop() {
    stopping_ = true;
    if (!thread_.joinable()) return;
    thread_.join();
    ::shutdown(fd_.get(), SHUT_RDWR);
}

bool EchoStream::greeted() {
    for (char c = 0; receive(&c, 1);) {
        if (c == '\n') return true;
        server_ += c;
    }
    return false;
}

void EchoStream::run() {
    for (uint64_t next = 1; connected_ && !stopping_ && !broken_; ++next) {
        uint64_t answer = 0;
        const auto sent = steady_clock::now();
        if (::send(fd_.get(), &next, sizeof next, MSG_NOSIGNAL) != sizeof next) {
            broken_ = true;
            return;
        }
        if (!receive(&answer, sizeof answer)) return;
        broken_ = answer != next;
        echoed_ = next;
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - sent);
        longest_ms_ = std::max<int64_t>(longest_ms_, took.count());
        std::this_thread::sleep_for(kPause);
    }
}

bool EchoStream::receive(void* data, size_t size) {
    pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, kLookMs) == 0)
        if (stopping_) return false;
    broken_ = ::recv(fd_.get(), data, size, MSG_WAITALL) != static_cast<ssize_t>(size);
    return !broken_;
}

EchoDatagrams::EchoDatagrams(const std::string& address, const std::string& host) : fd_(socketOf(host, SOCK_DGRAM)) {
    EXPECT_TRUE(connectTo(fd_.get(), address)) << std::strerror(errno);
    thread_ = std::thread([this] { run(); });
}

EchoDatagrams::~EchoDatagrams() {
    stopping_ = true;
    thread_.join();
}

// An error that somebody on the way reports is the next call's; the socket goes on.
void EchoDatagrams::run() {
    while (!stopping_) {
        const uint64_t next = sent_ + 1;
        if (::send(fd_.get(), &next, sizeof next, 0) == sizeof next) sent_ = next;
        uint64_t answer = 0;
        while (::recv(fd_.get(), &answer, sizeof answer, MSG_DONTWAIT) == sizeof answer) ++answered_;
        std::this_thread::sleep_for(kPause);
    }
}

}  // namespace homeslice::testing_support
