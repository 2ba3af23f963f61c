#include "noded/init/control.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "noded/init/terminal.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/seqpacket.h"

namespace homeslice::init {
namespace {

// Every process of the session that the command leads, in whatever group: a shell gives each of its jobs one of its
// own. Looks again while there are more than before, for they fork meanwhile; those that have ended are still there.
void killSession(pid_t leader) {
    constexpr int kMaxRounds = 16;
    size_t before = 0;
    for (int round = 0; round < kMaxRounds; ++round) {
        DIR* processes = ::opendir("/proc");
        if (processes == nullptr) return;
        size_t count = 0;
        while (const dirent* entry = ::readdir(processes)) {
            const auto pid = static_cast<pid_t>(::strtol(entry->d_name, nullptr, 10));
            if (pid > 1 && ::getsid(pid) == leader && ::kill(pid, SIGKILL) == 0) ++count;
        }
        ::closedir(processes);
        if (count <= before) return;
        before = count;
    }
}

// The command leads a session and a group from its first steps on; before these it is alone. SIGKILL is for everything
// that it has started.
void signalCommand(pid_t pid, int signal) {
    if (::kill(-pid, signal) < 0 && errno == ESRCH) ::kill(pid, signal);
    if (signal == SIGKILL) killSession(pid);
}

// The descriptors of a command that close with the call: the ends that it takes, whatever becomes of it.
struct Ends {
    Terminal terminal;
    UniqueFd execution_read;
    UniqueFd execution_write;
};

int32_t openEnds(const Request& request, Ends& ends) {
    if ((request.flags & Request::terminal) != 0) {
        if (const int error = openTerminal(request.columns, request.rows, ends.terminal); error != 0) return error;
    }
    if ((request.flags & Request::detached) != 0) {
        int pipe_ends[2];
        if (::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) < 0) return errno;
        ends.execution_read.reset(pipe_ends[0]);
        ends.execution_write.reset(pipe_ends[1]);
    }
    return 0;
}

int32_t takeStreams(const Request& request, const UniqueFd (&fds)[3], size_t fd_count, Command& command) {
    size_t next = 0;
    for (unsigned stream = 0; stream < 3; ++stream) {
        if ((request.streams >> stream & 1) == 0) continue;
        if (next == fd_count) return EINVAL;
        command.streams[stream] = fds[next++].get();
    }
    return 0;
}

}  // namespace

int Control::accept(int listening_fd) {
    UniqueFd socket(::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return -1;
    for (size_t i = 0; i < kMaxConnections; ++i) {
        if (!connections_[i].free()) continue;
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
        case Request::Kind::exec:
            return execute(connection, received);
        case Request::Kind::signal:
            if (connection.pid == 0) return {};
            signalCommand(connection.pid, received.request.signal_number);
            // Before its end is seen: after it nobody would know the session any more.
            if (received.request.signal_number == SIGKILL) killSession(connection.pid);
            return {};
        case Request::Kind::detach:
            if (connection.pid > 0) return detach(connection);
            return {};
        case Request::Kind::stop: {
            Wish wish;
            wish.stop = true;
            wish.signal_number = received.request.signal_number;
            wish.grace_ms = received.request.grace_ms;
            return wish;
        }
        default:
            close(connection);
            return {};
    }
}

Control::Wish Control::execute(Connection& connection, Received& received) {
    const int32_t error = connection.pid > 0 ? EBUSY : start(received, connection);
    if (error != 0) {
        reply(connection, Reply::Kind::refused, error);
        return {};
    }
    Wish wish;
    wish.execution = connection.execution.get();
    if (connection.execution) wish.drain = connection.terminal.get();
    if (!connection.execution) reply(connection, Reply::Kind::started, connection.pid, connection.terminal.get());
    return wish;
}

// 0, or why there is no command.
int32_t Control::start(const Received& received, Connection& connection) {
    const Request& request = received.request;
    const bool terminal = (request.flags & Request::terminal) != 0;
    if (commands_ >= kMaxCommands) return EAGAIN;
    if (terminal && request.streams != 0) return EINVAL;
    Command command;
    command.uid = defaults_.uid;
    command.gid = defaults_.gid;
    if (const int32_t error = takeStreams(request, received.fds, received.fd_count, command); error != 0) return error;
    if (const int32_t error = parseStrings(received, command); error != 0) return error;

    Ends ends;
    if (const int32_t error = openEnds(request, ends); error != 0) return error;
    command.terminal = terminal;
    command.failure = ends.execution_write.get();
    if (terminal) {
        for (int& stream : command.streams) stream = ends.terminal.slave.get();
    }
    const pid_t pid = spawn(command);
    if (pid < 0) return -pid;
    ++commands_;
    connection.pid = pid;
    connection.terminal = std::move(ends.terminal.master);
    connection.execution = std::move(ends.execution_read);
    return 0;
}

int32_t Control::parseStrings(const Received& received, Command& command) {
    const Request& request = received.request;
    if (request.argument_count == 0 || request.argument_count > kMaxStrings) return EINVAL;
    if (request.environment_count > kMaxStrings - request.argument_count) return E2BIG;
    sys::PackedStrings strings(buffer_ + sizeof(Request), received.strings_size);
    command.directory = strings.next();
    command.user = strings.next();
    command.argv = strings_;
    command.environment = strings_ + request.argument_count + 1;
    for (uint32_t i = 0; i < request.argument_count; ++i) strings_[i] = strings.next();
    strings_[request.argument_count] = nullptr;
    for (uint32_t i = 0; i < request.environment_count; ++i) command.environment[i] = strings.next();
    command.environment[request.environment_count] = nullptr;
    const bool complete =
        command.directory != nullptr && command.user != nullptr && strings_[request.argument_count - 1] != nullptr &&
        (request.environment_count == 0 || command.environment[request.environment_count - 1] != nullptr);
    if (!complete || !strings.atEnd()) return EINVAL;
    if (command.user[0] == '\0') command.user = defaults_.user;
    return 0;
}

void Control::onExecution(int index) {
    Connection& connection = connections_[index];
    if (!connection.execution) return;
    char failed = 0;
    const ssize_t size = ::read(connection.execution.get(), &failed, 1);
    if (size < 0) return;
    connection.execution.reset();
    if (size > 0) return;  // its end, with the status that tells why, comes next
    reply(connection, Reply::Kind::detached, 0);
    connection.socket.reset();
}

Control::Wish Control::detach(Connection& connection) {
    reply(connection, Reply::Kind::detached, 0);
    connection.socket.reset();
    Wish wish;
    wish.drain = connection.terminal.get();
    return wish;
}

int Control::discardOutput(int index) {
    Connection& connection = connections_[index];
    if (!connection.terminal) return -1;
    const ssize_t size = ::read(connection.terminal.get(), buffer_, sizeof(buffer_));
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) connection.terminal.reset();
    return connection.terminal.get();
}

bool Control::onChildEnd(pid_t pid, int wait_status) {
    for (size_t i = 0; i < kMaxConnections; ++i) {
        Connection& connection = connections_[i];
        if (connection.pid != pid) continue;
        onExecution(static_cast<int>(i));
        connection.pid = 0;
        --commands_;
        reply(connection, Reply::Kind::exited, exitStatus(wait_status));
        close(connection);
        return true;
    }
    return false;
}

void Control::reply(Connection& connection, Reply::Kind kind, int32_t value, int fd) {
    if (!connection.socket) return;
    const Reply message{kind, value};
    const int result = sys::sendParts(connection.socket.get(), &message, sizeof(message), nullptr, 0, &fd,
                                      fd >= 0 ? 1 : 0, MSG_DONTWAIT);
    if (result < 0) close(connection);
}

void Control::close(Connection& connection) {
    connection.socket.reset();
    connection.execution.reset();
    if (connection.pid > 0) signalCommand(connection.pid, SIGKILL);
    connection.terminal.reset();
}

}  // namespace homeslice::init
