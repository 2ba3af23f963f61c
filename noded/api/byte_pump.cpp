#include "noded/api/byte_pump.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace homeslice::api {
namespace {

constexpr size_t kMostBytes = size_t{64} * 1024;

bool sendAll(int fd, const std::string& data) {
    for (size_t sent = 0; sent < data.size();) {
        const ssize_t n = ::send(fd, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        sent += static_cast<size_t>(n);
    }
    return true;
}

}  // namespace

BytePump::BytePump(UniqueFd socket, std::unique_ptr<ByteStream> stream, std::string first)
    : socket_(std::move(socket)), stream_(std::move(stream)), thread_([this, data = std::move(first)] { run(data); }) {}

BytePump::~BytePump() {
    stream_->cancel();
    thread_.join();
}

void BytePump::run(std::string data) {
    std::thread up([this] { moveUp(); });
    while (sendAll(socket_.get(), data) && stream_->read(data)) continue;
    ::shutdown(socket_.get(), SHUT_RDWR);
    stream_->cancel();
    up.join();
    stream_->finish();
    done_ = true;
}

// TLS says itself when one side has said all: the end of either direction is the end of both.
void BytePump::moveUp() {
    std::string data;
    for (;;) {
        data.resize(kMostBytes);
        const ssize_t n = ::recv(socket_.get(), data.data(), data.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        data.resize(static_cast<size_t>(n));
        if (!stream_->write(data)) break;
    }
    stream_->cancel();
}

}  // namespace homeslice::api
