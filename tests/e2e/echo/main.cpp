// Runs in a sliver: echoes on port 7 what comes by TCP, after a line with its host name, and by UDP.
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace {

constexpr uint16_t kPort = 7;
constexpr size_t kMost = 2048;

int openSocket(int type) {
    const int fd = ::socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in6 here{};
    here.sin6_family = AF_INET6;
    here.sin6_port = htons(kPort);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) ::_exit(1);
    return fd;
}

void greet(int connection) {
    char line[HOST_NAME_MAX + 2]{};
    ::gethostname(line, HOST_NAME_MAX);
    std::strcat(line, "\n");
    if (::send(connection, line, std::strlen(line), MSG_NOSIGNAL) < 0) ::_exit(1);
}

void serve(int connection) {
    if (::fork() != 0) return;
    greet(connection);
    char data[kMost];
    for (;;) {
        const ssize_t got = ::recv(connection, data, sizeof data, 0);
        if (got <= 0 || ::send(connection, data, static_cast<size_t>(got), MSG_NOSIGNAL) != got) ::_exit(0);
    }
}

// A server with several addresses answers from the one that was asked.
void answer(int socket) {
    char data[kMost];
    char control[CMSG_SPACE(sizeof(in6_pktinfo))];
    sockaddr_in6 peer{};
    iovec part{data, sizeof data};
    msghdr message{};
    message.msg_name = &peer;
    message.msg_namelen = sizeof peer;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket, &message, 0);
    if (got < 0) return;
    part.iov_len = static_cast<size_t>(got);
    ::sendmsg(socket, &message, 0);
}

}  // namespace

int main() {
    ::signal(SIGCHLD, SIG_IGN);
    const int stream = openSocket(SOCK_STREAM);
    const int datagrams = openSocket(SOCK_DGRAM);
    const int on = 1;
    ::setsockopt(datagrams, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    if (::listen(stream, SOMAXCONN) != 0) return 1;
    for (;;) {
        pollfd waited[2]{{stream, POLLIN, 0}, {datagrams, POLLIN, 0}};
        if (::poll(waited, 2, -1) < 0 && errno != EINTR) return 1;
        if (waited[1].revents != 0) answer(datagrams);
        if (waited[0].revents == 0) continue;
        const int connection = ::accept4(stream, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection < 0) continue;
        serve(connection);
        ::close(connection);
    }
}
