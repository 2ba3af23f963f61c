#include "noded/names/tcp_connections.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace homeslice::names {
namespace {

constexpr size_t kMost = 256;
constexpr size_t kMostOfOne = 16;
constexpr size_t kLengthBytes = 2;
constexpr size_t kMostMessage = 4096;  // of what comes; a question with options is far less
constexpr size_t kMostUnsent = size_t{256} * 1024;
// From one message to the next.
constexpr std::chrono::seconds kPatience{10};

size_t lengthAt(const std::string& bytes) {
    return static_cast<size_t>(static_cast<uint8_t>(bytes[0])) << 8 | static_cast<uint8_t>(bytes[1]);
}

}  // namespace

TcpConnections::~TcpConnections() {
    for (const auto& [id, connection] : connections_) loop_.remove(connection.fd.get());
}

void TcpConnections::add(UniqueFd fd, const Ipv6Address& peer, const Ipv6Address& asker, Monotonic::time_point now) {
    makeRoom(asker);
    const uint64_t id = ++last_id_;
    const auto [entry, fresh] =
        connections_.emplace(id, Connection{.fd = std::move(fd), .peer = peer, .asker = asker, .end = now + kPatience});
    if (!follow(id, entry->second)) close(id);
}

void TcpConnections::makeRoom(const Ipv6Address& asker) {
    const auto is_theirs = [&](const auto& entry) { return entry.second.asker == asker; };
    const auto theirs = std::count_if(connections_.begin(), connections_.end(), is_theirs);
    const bool too_many_theirs = static_cast<size_t>(theirs) >= kMostOfOne;
    if (!too_many_theirs && connections_.size() < kMost) return;
    auto first = connections_.end();
    for (auto entry = connections_.begin(); entry != connections_.end(); ++entry) {
        if (too_many_theirs && !is_theirs(*entry)) continue;
        if (first == connections_.end() || entry->second.end < first->second.end) first = entry;
    }
    close(first->first);
}

void TcpConnections::handle(uint64_t id, uint32_t events) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const bool stays = ((events & ~uint32_t{EPOLLOUT}) == 0 || read(id, found->second)) && write(found->second) &&
                       follow(id, found->second);
    if (!stays) close(id);
}

bool TcpConnections::read(uint64_t id, Connection& connection) {
    std::array<char, kLengthBytes + kMostMessage> buffer;
    const ssize_t size = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
    if (size == 0) return false;
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    connection.in.append(buffer.data(), static_cast<size_t>(size));
    return takeMessages(id);
}

bool TcpConnections::takeMessages(uint64_t id) {
    Connection& connection = connections_.at(id);
    while (connection.in.size() >= kLengthBytes) {
        const size_t length = lengthAt(connection.in);
        if (length > kMostMessage) return false;
        if (connection.in.size() < kLengthBytes + length) return true;
        const std::string message = connection.in.substr(kLengthBytes, length);
        connection.in.erase(0, kLengthBytes + length);
        connection.end = Monotonic::now() + kPatience;
        if (!take_(id, connection.peer, message)) return false;
    }
    return true;
}

// What is sent while a message is taken goes out with handle()'s own write.
void TcpConnections::send(uint64_t id, const std::string& message) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || message.size() > UINT16_MAX) return;
    std::string& out = found->second.out;
    out += static_cast<char>(message.size() >> 8);
    out += static_cast<char>(message.size() & 0xff);
    out += message;
    // The loop writes it, and ends who does not read.
    follow(id, found->second);
}

bool TcpConnections::write(Connection& connection) {
    while (!connection.out.empty()) {
        const ssize_t sent =
            ::send(connection.fd.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) return errno == EAGAIN && connection.out.size() <= kMostUnsent;
        connection.out.erase(0, static_cast<size_t>(sent));
    }
    return true;
}

bool TcpConnections::follow(uint64_t id, const Connection& connection) {
    const uint32_t events = EPOLLIN | (connection.out.empty() ? 0U : uint32_t{EPOLLOUT});
    return loop_.watch(connection.fd.get(), events, [this, id](uint32_t seen) { handle(id, seen); }).ok();
}

void TcpConnections::expire(Monotonic::time_point now) {
    for (auto entry = connections_.begin(); entry != connections_.end();) {
        const uint64_t id = entry->first;
        const bool over = entry->second.end <= now;
        ++entry;
        if (over) close(id);
    }
}

void TcpConnections::close(uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    loop_.remove(found->second.fd.get());
    connections_.erase(found);
}

}  // namespace homeslice::names
