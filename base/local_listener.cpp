#include "base/local_listener.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace homeslice {
namespace {

const std::string kScheme = "unix-abstract:";
constexpr int kBacklog = 64;

bool isOwn(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == ::getpid();
}

}  // namespace

absl::StatusOr<LocalListener> LocalListener::open() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return errnoStatus(errno, "socket");
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    socklen_t size = sizeof name.sun_family;  // no name: the kernel chooses one
    auto* const generic = reinterpret_cast<sockaddr*>(&name);
    if (::bind(fd.get(), generic, size) != 0) return errnoStatus(errno, "bind a Unix socket");
    size = sizeof name;
    if (::getsockname(fd.get(), generic, &size) != 0 || ::listen(fd.get(), kBacklog) != 0)
        return errnoStatus(errno, "listen on a Unix socket");
    constexpr size_t kBegin = offsetof(sockaddr_un, sun_path) + 1;  // after the NUL that makes it abstract
    return LocalListener(std::move(fd), kScheme + std::string(name.sun_path + 1, size - kBegin));
}

UniqueFd LocalListener::accept() const {
    UniqueFd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection && !isOwn(connection.get())) connection.reset();
    return connection;
}

absl::StatusOr<UniqueFd> connectLocally(const std::string& target) {
    sockaddr_un name{};
    if (!target.starts_with(kScheme) || target.size() - kScheme.size() >= sizeof name.sun_path)
        return invalidArgument("'" + target + "' is no local listener");
    // A full backlog must not hold up its own listener.
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return errnoStatus(errno, "socket");
    name.sun_family = AF_UNIX;
    const size_t length = target.copy(name.sun_path + 1, sizeof name.sun_path - 1, kScheme.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0) return fd;
    return errnoStatus(errno, "connect to " + target);
}

}  // namespace homeslice
