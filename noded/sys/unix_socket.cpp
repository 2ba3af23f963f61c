#include "noded/sys/unix_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/seqpacket.h"

namespace homeslice::sys {
namespace {

// sun_path holds 107 bytes; the directory's descriptor stands in for its name.
struct ShortPath {
    UniqueFd directory;
    sockaddr_un address{};
};

absl::StatusOr<ShortPath> shorten(const std::string& path) {
    const size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    ShortPath result;
    HS_ASSIGN_OR_RETURN(result.directory, openFile(directory, O_PATH | O_DIRECTORY));
    const std::string text = "/proc/self/fd/" + std::to_string(result.directory.get()) + "/" + name;
    if (name.empty() || text.size() >= sizeof(result.address.sun_path)) {
        return invalidArgument("not a usable socket path: " + path);
    }
    result.address.sun_family = AF_UNIX;
    std::memcpy(result.address.sun_path, text.c_str(), text.size() + 1);
    return result;
}

absl::StatusOr<UniqueFd> seqpacketSocket() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!fd) return errnoStatus(errno, "socket(AF_UNIX)");
    return fd;
}

const sockaddr* asAddress(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

absl::Status awaitReadable(int socket, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        int wait = -1;
        if (timeout.count() >= 0) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            wait = static_cast<int>(std::max<int64_t>(0, left.count()));
        }
        pollfd entry{socket, POLLIN, 0};
        const int ready = ::poll(&entry, 1, wait);
        if (ready > 0) return absl::OkStatus();
        if (ready == 0) return deadlineExceeded("no message within " + std::to_string(timeout.count()) + " ms");
        if (errno != EINTR) return errnoStatus(errno, "poll");
    }
}

}  // namespace

absl::StatusOr<UniqueFd> listenSeqpacket(const std::string& path, int backlog) {
    HS_ASSIGN_OR_RETURN(ShortPath place, shorten(path));
    HS_ASSIGN_OR_RETURN(UniqueFd fd, seqpacketSocket());
    if (::unlink(place.address.sun_path) < 0 && errno != ENOENT) return errnoStatus(errno, "unlink " + path);
    // The mode of the socket file comes from the inode behind the descriptor; the umask is the whole process's.
    if (::fchmod(fd.get(), 0600) < 0) return errnoStatus(errno, "fchmod of a socket");
    if (::bind(fd.get(), asAddress(place.address), sizeof(place.address)) < 0)
        return errnoStatus(errno, "bind " + path);
    if (::listen(fd.get(), backlog) < 0) return errnoStatus(errno, "listen " + path);
    return fd;
}

absl::StatusOr<UniqueFd> connectSeqpacket(const std::string& path) {
    HS_ASSIGN_OR_RETURN(ShortPath place, shorten(path));
    HS_ASSIGN_OR_RETURN(UniqueFd fd, seqpacketSocket());
    if (::connect(fd.get(), asAddress(place.address), sizeof(place.address)) == 0) return fd;
    if (errno == ECONNREFUSED) return unavailable("nobody listens at " + path);
    return errnoStatus(errno, "connect " + path);
}

absl::Status sendMessage(int socket, const std::string& data, const std::vector<int>& fds) {
    const int result = sendParts(socket, data.data(), data.size(), nullptr, 0, fds.data(), fds.size());
    if (result == -EPIPE || result == -ECONNRESET) return unavailable("the peer closed the connection");
    if (result < 0) return errnoStatus(-result, "sendmsg");
    return absl::OkStatus();
}

absl::StatusOr<Message> receiveMessage(int socket, size_t max_size, std::chrono::milliseconds timeout) {
    HS_RETURN_IF_ERROR(awaitReadable(socket, timeout));
    Message message;
    message.data.resize(max_size);
    std::array<UniqueFd, kMaxMessageFds> fds;
    size_t count = 0;
    const ssize_t size = receiveParts(socket, message.data.data(), max_size, fds.data(), fds.size(), count);
    if (size == 0 || size == -ECONNRESET) return unavailable("the peer closed the connection");
    if (size < 0) return errnoStatus(static_cast<int>(-size), "recvmsg");
    message.data.resize(static_cast<size_t>(size));
    std::move(fds.begin(), fds.begin() + static_cast<ptrdiff_t>(count), std::back_inserter(message.fds));
    return message;
}

}  // namespace homeslice::sys
