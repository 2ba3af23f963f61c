#include "noded/launcher/server.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "noded/launcher/clone.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/seqpacket.h"
#include "noded/sys/time_slice.h"

namespace homeslice::launcher {
namespace {

constexpr int kBacklog = 8;

// What is meant for noded's terminal, or comes from a peer that went, is not for the launcher.
void ignoreSignals() {
    for (const int signal : {SIGPIPE, SIGHUP, SIGINT, SIGQUIT}) ::signal(signal, SIG_IGN);
}

// False when the message is not what it says.
bool parseClone(char* data, size_t size, CloneMessage& message, SliverGroups& groups) {
    if (size < sizeof(message)) return false;
    std::memcpy(&message, data, sizeof(message));
    if (message.v1_directory_count > kMaxV1Directories) return false;
    sys::PackedStrings strings(data + sizeof(message), size - sizeof(message));
    groups.v2_directory = strings.next();
    if (groups.v2_directory == nullptr) return false;
    for (; groups.v1_count < message.v1_directory_count; ++groups.v1_count) {
        const char* directory = strings.next();
        if (directory == nullptr) return false;
        groups.v1_directories[groups.v1_count] = directory;
    }
    return strings.atEnd();
}

}  // namespace

const char* Server::start() {
    ::close_range(kListeningFd + 1, ~0U, 0);
    ::prctl(PR_SET_NAME, "noded-launcher");
    ignoreSignals();
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return "PR_SET_CHILD_SUBREAPER";
    // So that a change of the effective user id leaves the capabilities alone (clone.cpp).
    if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0) return "PR_SET_SECUREBITS";
    // All slivers inherit it; noded gives longer ones to those that do not pause (noded/isolation/hog_slices.h).
    if (!sys::setTimeSlice(0, sys::kShortestSliceNs)) return "sched_setattr";
    if (::fcntl(listening_.get(), F_SETFD, FD_CLOEXEC) < 0) return "listening socket";
    if (::fcntl(listening_.get(), F_SETFL, O_NONBLOCK) < 0) return "listening socket";
    // Again, for those who ask with SO_PEERCRED whom they are connected to.
    if (::listen(listening_.get(), kBacklog) < 0) return "listen";

    sigset_t child_end;
    ::sigemptyset(&child_end);
    ::sigaddset(&child_end, SIGCHLD);
    if (::sigprocmask(SIG_SETMASK, &child_end, nullptr) < 0) return "sigprocmask";
    signals_.reset(::signalfd(-1, &child_end, SFD_CLOEXEC | SFD_NONBLOCK));
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!signals_ || !epoll_ || !watch(signals_.get()) || !watch(listening_.get())) return "epoll";
    home_ = HomeGroups::find();
    return nullptr;
}

bool Server::watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

bool Server::needed() const { return connection_.valid() || !slivers_.empty() || !ended_.empty(); }

// Whoever starts a launcher is connected before that, so the first look finds the connection.
void Server::run() {
    acceptConnections();
    while (needed()) {
        epoll_event event{};
        if (::epoll_wait(epoll_.get(), &event, 1, -1) <= 0) continue;
        if (event.data.fd == signals_.get()) {
            onSignals();
        } else if (event.data.fd == listening_.get()) {
            acceptConnections();
        } else if (event.data.fd == connection_.get()) {
            onMessage();
        }
        // One that connected at the last moment is served, not turned away.
        if (!needed()) acceptConnections();
    }
}

void Server::acceptConnections() {
    for (;;) {
        UniqueFd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd) return;
        connection_ = std::move(fd);
        told_ = false;
        const Hello hello;
        if (watch(connection_.get()) && send(&hello, sizeof(hello), nullptr, 0)) tellNext();
    }
}

bool Server::send(const void* message, size_t size, const int* fds, size_t fd_count) {
    const int result = sys::sendParts(connection_.get(), message, size, nullptr, 0, fds, fd_count, MSG_DONTWAIT);
    if (result < 0) connection_.reset();
    return result == 0;
}

void Server::onMessage() {
    size_t fd_count = 0;
    const ssize_t received =
        sys::receiveParts(connection_.get(), buffer_, sizeof(buffer_), nullptr, 0, fd_count, MSG_DONTWAIT);
    if (received == -EAGAIN) return;
    Kind kind{};
    if (received >= static_cast<ssize_t>(sizeof(kind))) std::memcpy(&kind, buffer_, sizeof(kind));
    switch (kind) {
        case Kind::clone:
            return onClone(static_cast<size_t>(received));
        case Kind::taken:
            return onTaken(static_cast<size_t>(received));
        default:
            connection_.reset();
    }
}

void Server::onClone(size_t size) {
    CloneMessage message;
    SliverGroups groups;
    if (!parseClone(buffer_, size, message, groups)) return connection_.reset();
    const Cloned cloned = cloneSliver(home_, groups, message.first_id, message.id_count);
    if (cloned.message.error != 0) {
        send(&cloned.message, sizeof(cloned.message), nullptr, 0);
        return;
    }
    slivers_.push_back({cloned.message.pid, cloned.message.start_time});
    const int fds[kClonedFds] = {cloned.pidfd.get(), cloned.user_namespace.get(), cloned.network_namespace.get(),
                                 cloned.setup.get()};
    send(&cloned.message, sizeof(cloned.message), fds, kClonedFds);
}

// After a reconnection a status may be told, and acknowledged, twice.
void Server::onTaken(size_t size) {
    TakenMessage taken;
    if (size != sizeof(taken)) return connection_.reset();
    std::memcpy(&taken, buffer_, sizeof(taken));
    if (ended_.empty()) return;
    if (taken.pid != ended_.front().pid || taken.start_time != ended_.front().start_time) return;
    ended_.pop_front();
    told_ = false;
    tellNext();
}

void Server::onSignals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof(info)) > 0) continue;
    int wait_status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) {
        for (size_t i = 0; i < slivers_.size(); ++i) {
            if (slivers_[i].pid != pid) continue;
            EndedMessage ended;
            ended.pid = pid;
            ended.start_time = slivers_[i].start_time;
            ended.wait_status = wait_status;
            ended_.push_back(ended);
            slivers_[i] = slivers_.back();
            slivers_.pop_back();
            break;
        }
    }
    tellNext();
}

// One at a time, so that a slow noded cannot fill the socket.
void Server::tellNext() {
    if (told_ || ended_.empty() || !connection_) return;
    told_ = send(&ended_.front(), sizeof(EndedMessage), nullptr, 0);
}

}  // namespace homeslice::launcher
