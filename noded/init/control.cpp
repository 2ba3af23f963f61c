#include "noded/init/control.h"

#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "noded/init/spawn.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/seqpacket.h"

namespace homeslice::init {
namespace {

// The command leads a group from its first steps on; before these it is alone.
void signalCommand(pid_t pid, int signal) {
    if (::kill(-pid, signal) < 0 && errno == ESRCH) ::kill(pid, signal);
}

}  // namespace

int Control::accept(int listening_fd) {
    UniqueFd socket(::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return -1;
    for (size_t i = 0; i < kMaxConnections; ++i) {
        if (connections_[i].socket || connections_[i].pid > 0) continue;
        connections_[i].socket = std::move(socket);
        return static_cast<int>(i);
    }
    return -1;
}

Control::Wish Control::onReadable(int index) {
    Connection& connection = connections_[index];
    if (!connection.socket) return {};
    Received received{};
    const ssize_t size =
        sys::receiveParts(connection.socket.get(), buffer_, sizeof(buffer_), received.fds, 3, received.fd_count);
    if (size == -EAGAIN) return {};
    if (size < static_cast<ssize_t>(sizeof(Request))) {
        close(connection);
        return {};
    }
    std::memcpy(&received.request, buffer_, sizeof(Request));
    received.strings_size = static_cast<size_t>(size) - sizeof(Request);
    switch (received.request.kind) {
        case Request::exec:
            execute(connection, received);
            return {};
        case Request::signal:
            if (connection.pid > 0) signalCommand(connection.pid, received.request.signal_number);
            return {};
        case Request::stop:
            return {true, received.request.grace_ms};
        default:
            close(connection);
            return {};
    }
}

void Control::execute(Connection& connection, Received& received) {
    pid_t pid = 0;
    const int32_t error = connection.pid > 0 ? EBUSY : start(received, pid);
    if (error != 0) {
        reply(connection, Reply::refused, error);
        return;
    }
    connection.pid = pid;
    ++commands_;
    reply(connection, Reply::started, pid);
}

// 0, or why there is no command.
int32_t Control::start(const Received& received, pid_t& pid) {
    const Request& request = received.request;
    if (commands_ >= kMaxCommands) return EAGAIN;
    if (request.argument_count == 0 || request.argument_count > kMaxStrings) return EINVAL;
    if (request.environment_count > kMaxStrings - request.argument_count) return E2BIG;

    Command command;
    command.uid = defaults_.uid;
    command.gid = defaults_.gid;
    size_t next_fd = 0;
    for (unsigned stream = 0; stream < 3; ++stream) {
        if ((request.streams >> stream & 1) == 0) continue;
        if (next_fd == received.fd_count) return EINVAL;
        command.streams[stream] = received.fds[next_fd++].get();
    }
    sys::PackedStrings strings(buffer_ + sizeof(Request), received.strings_size);
    command.directory = strings.next();
    command.argv = strings_;
    command.environment = strings_ + request.argument_count + 1;
    for (uint32_t i = 0; i < request.argument_count; ++i) strings_[i] = strings.next();
    strings_[request.argument_count] = nullptr;
    for (uint32_t i = 0; i < request.environment_count; ++i) command.environment[i] = strings.next();
    command.environment[request.environment_count] = nullptr;
    const bool complete =
        command.directory != nullptr && strings_[request.argument_count - 1] != nullptr &&
        (request.environment_count == 0 || command.environment[request.environment_count - 1] != nullptr);
    if (!complete || !strings.atEnd()) return EINVAL;

    pid = spawn(command);
    return pid < 0 ? -pid : 0;
}

bool Control::onChildEnd(pid_t pid, int wait_status) {
    for (Connection& connection : connections_) {
        if (connection.pid != pid) continue;
        connection.pid = 0;
        --commands_;
        reply(connection, Reply::exited, exitStatus(wait_status));
        close(connection);
        return true;
    }
    return false;
}

void Control::reply(Connection& connection, uint32_t kind, int32_t value) {
    if (!connection.socket) return;
    const Reply message{kind, value};
    const int result =
        sys::sendParts(connection.socket.get(), &message, sizeof(message), nullptr, 0, nullptr, 0, MSG_DONTWAIT);
    if (result < 0) close(connection);
}

void Control::close(Connection& connection) {
    connection.socket.reset();
    if (connection.pid > 0) signalCommand(connection.pid, SIGKILL);
}

}  // namespace homeslice::init
