// sliver-init's interfaces: how it is started, and the messages on its control socket (AF_UNIX SOCK_SEQPACKET, host
// byte order: both ends are on one machine and of one build).
//
// What it runs comes by the setup socket (assignment.h). The descriptors below are open, stdin, stdout and stderr are
// /dev/null.
//
// Control socket: a connection carries one exec with its signals, or one stop.
//   > exec   + descriptors   < started [+ descriptor: the terminal's master end], then exited when the command has
//                              ended; or refused
//   > signal                   to the exec's process group; SIGKILL as if the connection were closed
//   > detach                 < detached: the command goes on without the connection, its terminal's output is dropped
//   > stop
// Closing the connection kills the exec's process group and the rest of its session, a shell's jobs say. An exec that
// asks to be detached from the start is answered by `detached` once the command has been executed, or by `exited` when
// it could not be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace homeslice::init {

inline constexpr int kSetupFd = 3;         // connected socket: takes a SetupReport; its end is that of sliver-init
inline constexpr int kControlFd = 4;       // listening socket
inline constexpr int kLogDirectoryFd = 5;  // O_PATH

inline constexpr size_t kMaxRequestSize = 128 << 10;
inline constexpr uint32_t kMaxStrings = 4096;   // arguments and variables of one exec
inline constexpr size_t kMaxCommands = 256;     // running at once; one more is refused with EAGAIN
inline constexpr size_t kMaxConnections = 288;  // the rest is for stop requests

// Followed by strings (sys/packed_strings.h), for exec: working directory, user (empty: the sliver's), arguments,
// environment.
struct Request {
    enum class Kind : uint32_t { exec = 1, signal = 2, stop = 3, detach = 4 };
    enum Flag : uint32_t { terminal = 1, detached = 2 };

    Kind kind{};
    uint32_t argument_count = 0;     // exec
    uint32_t environment_count = 0;  // exec
    uint32_t streams = 0;       // exec: bit N set: a descriptor for the command's N comes along, in this order; none of
                                // them with a terminal
    uint32_t flags = 0;         // exec
    uint16_t columns = 0;       // exec with a terminal
    uint16_t rows = 0;          // the same
    int32_t signal_number = 0;  // signal; stop: 0 is SIGTERM
    uint32_t grace_ms = 0;      // stop: until SIGKILL
};
static_assert(sizeof(Request) == 32);
static_assert(std::is_trivially_copyable_v<Request>);

struct Reply {
    enum class Kind : uint32_t { started = 1, exited = 2, refused = 3, detached = 4 };

    Kind kind{};
    int32_t value = 0;  // started: pid inside; exited: status 0-255; refused: errno
};
static_assert(sizeof(Reply) == 8);
static_assert(std::is_trivially_copyable_v<Reply>);

}  // namespace homeslice::init
