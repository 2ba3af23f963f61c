// One message with descriptors over an AF_UNIX SOCK_SEQPACKET socket, for noded's libraries and for the small static
// programs alike: no absl, no allocation. Errors are negative errno values.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/unique_fd.h"

namespace homeslice::sys {

inline constexpr size_t kMaxMessageFds = 40;

// Sends header and body as one message. 0, or -errno (-EPIPE: the peer is gone, without SIGPIPE).
inline int sendParts(int socket, const void* header, size_t header_size, const void* body, size_t body_size,
                     const int* fds, size_t fd_count, int flags = 0) {
    if (fd_count > kMaxMessageFds) return -EINVAL;
    iovec parts[2] = {{const_cast<void*>(header), header_size}, {const_cast<void*>(body), body_size}};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxMessageFds)] = {};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = body_size > 0 ? 2 : 1;
    if (fd_count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        std::memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do {
        sent = ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

namespace detail {

// Takes ownership of every descriptor that came, also of those beyond `max_fds`; false when there were such.
inline bool takeDescriptors(msghdr& message, UniqueFd* fds, size_t max_fds, size_t& fd_count) {
    bool fit = true;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int raw = -1;
            std::memcpy(&raw, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            UniqueFd fd(raw);
            if (fd_count < max_fds) {
                fds[fd_count++] = std::move(fd);
            } else {
                fit = false;
            }
        }
    }
    return fit;
}

}  // namespace detail

// Receives one message into `data` and its descriptors (close-on-exec) into fds[0, fd_count). The size; 0 at the end of
// the connection; -errno, -EMSGSIZE for a message or descriptors beyond the bounds (no descriptor is kept then).
inline ssize_t receiveParts(int socket, void* data, size_t capacity, UniqueFd* fds, size_t max_fds, size_t& fd_count,
                            int flags = 0) {
    fd_count = 0;
    iovec part{data, capacity};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxMessageFds)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    ssize_t size;
    do {
        size = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0) return -errno;
    const bool fit = detail::takeDescriptors(message, fds, max_fds, fd_count);
    if (fit && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) return size;
    for (size_t i = 0; i < fd_count; ++i) fds[i].reset();
    fd_count = 0;
    return -EMSGSIZE;
}

}  // namespace homeslice::sys
