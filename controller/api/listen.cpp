#include "controller/api/listen.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/status.h"
#include "base/unique_fd.h"

namespace homeslice::controller {
namespace {

const std::string kUnix = "unix:";
constexpr unsigned kMaxPort = 65535;

absl::Status checkUnix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return invalidArgument("socket path '" + path + "' is empty or longer than 107 bytes");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return errnoStatus(errno, "socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        return errnoStatus(EADDRINUSE, "listen on " + path + ": another program serves it");
    }
    if (errno == ECONNREFUSED && ::unlink(path.c_str()) != 0) return errnoStatus(errno, "remove the old " + path);
    return absl::OkStatus();
}

absl::Status tryBind(const addrinfo& where, const std::string& address) {
    const UniqueFd fd(::socket(where.ai_family, where.ai_socktype | SOCK_CLOEXEC, where.ai_protocol));
    if (!fd.valid()) return errnoStatus(errno, "socket for " + address);
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd.get(), where.ai_addr, where.ai_addrlen) != 0 || ::listen(fd.get(), 1) != 0) {
        return errnoStatus(errno, "listen on " + address);
    }
    return absl::OkStatus();
}

absl::Status checkTcp(const std::string& address) {
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
    return tryBind(*found, address);
}

}  // namespace

absl::Status checkListen(const std::string& address) {
    if (address.compare(0, kUnix.size(), kUnix) == 0) return checkUnix(address.substr(kUnix.size()));
    return checkTcp(address);
}

// A socket is made with the process's umask, which may be anything.
absl::Status closeToOthers(const std::string& address) {
    if (!address.starts_with(kUnix)) return absl::OkStatus();
    const std::string path = address.substr(kUnix.size());
    return ::chmod(path.c_str(), 0600) == 0 ? absl::OkStatus() : errnoStatus(errno, "chmod " + path);
}

}  // namespace homeslice::controller
