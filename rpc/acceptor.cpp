#include "rpc/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "rpc/listen.h"

namespace homeslice::rpc {
namespace {

const std::string kUnix = "unix:";
// Until newcomers have said what they want, connections have ended, or memory has come back.
constexpr int kRestMs = 5;

uint16_t portOf(int fd) {
    sockaddr_in6 address{};  // IPv4 has its port in the same place
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return ntohs(address.sin6_port);
}

}  // namespace

void Acceptor::stop() {
    if (thread_.joinable()) {
        ::eventfd_write(stop_.get(), 1);
        thread_.join();
    }
    for (const Door& door : doors_) {
        if (!door.unix_path.empty()) ::unlink(door.unix_path.c_str());
    }
    doors_.clear();
}

void Acceptor::callBegan() {
    const std::lock_guard lock(mutex_);
    if (!newcomers_.empty()) newcomers_.pop_front();
}

absl::StatusOr<uint16_t> Acceptor::listen(grpc::ServerBuilder& builder, const std::string& address,
                                          std::shared_ptr<grpc::ServerCredentials> credentials) {
    using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
    Door door;
    HS_ASSIGN_OR_RETURN(door.listening, listenOn(address));
    door.server = builder.experimental().AddExternalConnectionAcceptor(Type::FROM_FD, std::move(credentials));
    const bool is_unix = address.starts_with(kUnix);
    if (is_unix) door.unix_path = address.substr(kUnix.size());
    const uint16_t port = is_unix ? 0 : portOf(door.listening.get());
    doors_.push_back(std::move(door));
    return port;
}

absl::Status Acceptor::start() {
    stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
    if (!stop_) return errnoStatus(errno, "eventfd");
    thread_ = std::thread([this] { run(); });
    return absl::OkStatus();
}

void Acceptor::run() {
    std::vector<pollfd> waited{{.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    for (const Door& door : doors_) waited.push_back({.fd = door.listening.get(), .events = POLLIN, .revents = 0});
    for (bool rests = false;;) {
        // What waits to be accepted would wake it at once.
        const int ready = ::poll(waited.data(), rests ? 1 : waited.size(), rests ? kRestMs : -1);
        if (ready < 0 && errno != EINTR) return logError("poll for connections: {}", messageOf(errnoStatus(errno, "")));
        if (ready > 0 && waited.front().revents != 0) return;
        rests = false;
        for (const Door& door : doors_) rests = !acceptAll(door) || rests;
    }
}

bool Acceptor::acceptAll(const Door& door) {
    // Who administers the machine itself does not wait behind others.
    while (!door.unix_path.empty() || hasRoom()) {
        const int fd = ::accept4(door.listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            obstacle_ = 0;
            handIn(door, fd);
            continue;
        }
        switch (errno) {
            case EAGAIN:
                return true;
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM: {
                const int before = std::exchange(obstacle_, errno);
                const absl::Status why = errnoStatus(obstacle_, "accept");
                if (before == 0) logWarning("connections wait to be accepted: {}", messageOf(why));
                return false;
            }
            default:
                break;  // of the connection that was to be (accept(2)): there may be more behind it
        }
    }
    return false;
}

bool Acceptor::hasRoom() {
    if (limits_.newcomers == 0) return true;
    const Time now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    while (!newcomers_.empty() && now - newcomers_.front() > limits_.newcomer_time) newcomers_.pop_front();
    return newcomers_.size() < limits_.newcomers;
}

void Acceptor::handIn(const Door& door, int fd) {
    if (door.unix_path.empty()) {
        // It waited for too long, and is gone.
        pollfd peer{.fd = fd, .events = POLLRDHUP, .revents = 0};
        if (::poll(&peer, 1, 0) == 1) {
            ::close(fd);
            return;
        }
        const int on = 1;
        const auto silence_ms = static_cast<unsigned>(limits_.silence.count());
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
        const std::lock_guard lock(mutex_);
        if (limits_.newcomers != 0) newcomers_.push_back(std::chrono::steady_clock::now());
    }
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = door.listening.get();
    connection.fd = fd;
    door.server->HandleNewConnection(&connection);
}

}  // namespace homeslice::rpc
