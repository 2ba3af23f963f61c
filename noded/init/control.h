// The control socket's connections (protocol.h). Single-threaded; told by the event loop what is readable.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "base/unique_fd.h"
#include "noded/init/protocol.h"
#include "noded/init/spawn.h"

namespace homeslice::init {

class Control {
public:
    // What exec gives to commands besides the request's own.
    struct Defaults {
        uid_t uid = 0;
        gid_t gid = 0;
        const char* user = "";
    };
    // What a readable connection asked of its owner.
    struct Wish {
        bool stop = false;
        int32_t signal_number = 0;  // with stop
        uint32_t grace_ms = 0;
        int execution = -1;  // call onExecution() when this is readable
        int drain = -1;      // call discardOutput() when this is readable
    };

    void setDefaults(const Defaults& defaults) { defaults_ = defaults; }

    // Takes the next connection of the listening socket: its index, and its descriptor for epoll. -1: there was none,
    // or it was one too many.
    int accept(int listening_fd);
    int descriptor(int index) const { return connections_[index].socket.get(); }
    Wish onReadable(int index);
    // A command that was to be detached from the start has been executed, or could not be.
    void onExecution(int index);
    // Reads some output of a detached command that has a terminal. The descriptor to ask again for; -1: it is over.
    int discardOutput(int index);
    // A child that was reaped; true when it was a command of a connection.
    bool onChildEnd(pid_t pid, int wait_status);

private:
    struct Connection {
        bool free() const { return !socket && pid == 0; }

        UniqueFd socket;  // gone: nobody asks for the command any more
        pid_t pid = 0;    // of the running command
        UniqueFd terminal;
        UniqueFd execution;  // a pipe that the command's execve(2) closes
    };
    struct Received {
        Request request;
        size_t strings_size;
        UniqueFd fds[3];
        size_t fd_count;
    };

    Wish execute(Connection& connection, Received& received);
    int32_t start(const Received& received, Connection& connection);
    int32_t parseStrings(const Received& received, Command& command);
    void reply(Connection& connection, Reply::Kind kind, int32_t value, int fd = -1);
    Wish detach(Connection& connection);
    void close(Connection& connection);

    Defaults defaults_;
    Connection connections_[kMaxConnections];
    size_t commands_ = 0;
    char buffer_[kMaxRequestSize];
    char* strings_[kMaxStrings + 2];
};

}  // namespace homeslice::init
