// The control socket's connections (protocol.h). Single-threaded; told by the event loop what is readable.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "base/unique_fd.h"
#include "noded/init/protocol.h"

namespace homeslice::init {

class Control {
public:
    // What exec gives to commands besides the request's own.
    struct Defaults {
        uid_t uid;
        gid_t gid;
    };
    // What a readable connection asked of its owner.
    struct Wish {
        bool stop = false;
        uint32_t grace_ms = 0;
    };

    explicit Control(Defaults defaults) : defaults_(defaults) {}

    // Takes the next connection of the listening socket: its index, and its descriptor for epoll. -1: there was none,
    // or it was one too many.
    int accept(int listening_fd);
    int descriptor(int index) const { return connections_[index].socket.get(); }
    Wish onReadable(int index);
    // A child that was reaped; true when it was a command of a connection.
    bool onChildEnd(pid_t pid, int wait_status);

private:
    struct Connection {
        UniqueFd socket;
        pid_t pid = 0;  // of the running command
    };
    struct Received {
        Request request;
        size_t strings_size;
        UniqueFd fds[3];
        size_t fd_count;
    };

    void execute(Connection& connection, Received& received);
    int32_t start(const Received& received, pid_t& pid);
    void reply(Connection& connection, uint32_t kind, int32_t value);
    void close(Connection& connection);

    Defaults defaults_;
    Connection connections_[kMaxConnections];
    size_t commands_ = 0;
    char buffer_[kMaxRequestSize];
    char* strings_[kMaxStrings + 2];
};

}  // namespace homeslice::init
