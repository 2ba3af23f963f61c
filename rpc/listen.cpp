#include "rpc/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/status.h"

namespace homeslice::rpc {
namespace {

const std::string kUnix = "unix:";
constexpr unsigned kMaxPort = 65535;

absl::StatusOr<UniqueFd> bound(const addrinfo& where, const std::string& address) {
    UniqueFd fd(::socket(where.ai_family, where.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, where.ai_protocol));
    if (!fd) return errnoStatus(errno, "socket for " + address);
    const int on = 1;
    const int off = 0;
    if (where.ai_family == AF_UNIX) {
        // bind(2) gives the file the socket's own mode, less the process's umask, which may be anything.
        ::fchmod(fd.get(), S_IRUSR | S_IWUSR);
    } else {
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    // [::] is every address, of both versions.
    if (where.ai_family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (::bind(fd.get(), where.ai_addr, where.ai_addrlen) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
        return errnoStatus(errno, "listen on " + address);
    }
    return fd;
}

absl::StatusOr<UniqueFd> listenOnUnix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return invalidArgument("socket path '" + path + "' is empty or longer than 107 bytes");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    addrinfo where{};
    where.ai_family = AF_UNIX;
    where.ai_socktype = SOCK_STREAM;
    where.ai_addr = reinterpret_cast<sockaddr*>(&address);
    where.ai_addrlen = sizeof address;
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!probe) return errnoStatus(errno, "socket");
    if (::connect(probe.get(), where.ai_addr, where.ai_addrlen) == 0) {
        return errnoStatus(EADDRINUSE, "listen on " + path + ": another program serves it");
    }
    if (errno == ECONNREFUSED && ::unlink(path.c_str()) != 0) return errnoStatus(errno, "remove the old " + path);
    return bound(where, path);
}

absl::StatusOr<UniqueFd> listenOnTcp(const std::string& address) {
    const size_t colon = address.rfind(':');
    const auto bad = [&address] {
        return invalidArgument("'" + address + "' is not an address to listen on: use ADDRESS:PORT or [ADDRESS]:PORT");
    };
    if (colon == std::string::npos) return bad();
    std::string host = address.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host.empty() || (!bracketed && host.find(':') != std::string::npos)) return bad();
    // getaddrinfo() would take a larger one modulo 65536.
    unsigned port = 0;
    const char* end = address.data() + address.size();
    const auto [rest, error] = std::from_chars(address.data() + colon + 1, end, port);
    if (error != std::errc() || rest != end || port > kMaxPort) return bad();
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) return bad();
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    return bound(*found, address);
}

}  // namespace

absl::StatusOr<UniqueFd> listenOn(const std::string& address) {
    return address.starts_with(kUnix) ? listenOnUnix(address.substr(kUnix.size())) : listenOnTcp(address);
}

}  // namespace homeslice::rpc
