// noded's side of sliver-init's control socket (SOCK_SEQPACKET, listening at a path below the runtime directory; only
// host root can reach it). Messages: init/protocol.h. Threads: each object, one caller at a time, except kill().
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::init {

struct TerminalSize {
    uint16_t columns = 80;
    uint16_t rows = 24;
};

struct ExecRequest {
    std::vector<std::string> argv;  // at least one; found by PATH
    std::vector<std::string> env;   // "NAME=value", over the sliver's own environment
    std::string working_directory;  // empty: /
    // "name|uid[:group|gid]", looked up inside, in the sliver's /etc/passwd and /etc/group; empty: the sliver's own.
    // One that is not there ends the command with 126, with the reason on its stderr. HOME becomes the user's unless
    // `env` has one.
    std::string user;
    UniqueFd stdin_fd;  // handed to the command; invalid: /dev/null
    UniqueFd stdout_fd;
    UniqueFd stderr_fd;
    // Set: stdin, stdout and stderr are a terminal of the sliver's, see takeTerminal(); no descriptor may be given
    // then.
    std::optional<TerminalSize> terminal;
    // The command goes on without the RunningCommand, until its end or the sliver's.
    bool detached = false;
};

// A command that runs in a sliver as a child of its PID 1: same namespaces, cgroup, capabilities, seccomp filter.
// Destroying the object before the command has ended kills its process group and the rest of its session.
class RunningCommand {
public:
    virtual ~RunningCommand() = default;
    // Blocks until it ends. 0-255; 128+N after signal N; 126 not executable, 127 not found. UNAVAILABLE when the sliver
    // ended first. CANCELLED when the command is detached: nobody will know its end.
    virtual absl::StatusOr<int> wait() = 0;
    // To the command's process group, SIGKILL to the rest of its session too. Any thread.
    virtual absl::Status kill(int signal) = 0;
    // Lets the command go on without this object: wait() ends. What it writes to its terminal is dropped from now on.
    // Nothing happens when it has ended. Any thread.
    virtual absl::Status detach() = 0;
    // The terminal's master end, non-blocking; the caller's from the first call on, and invalid without a terminal. Its
    // end of file is EIO, when all inside have closed the other end.
    virtual UniqueFd takeTerminal() = 0;
    // Readable when wait() would not block, for poll(2); -1 when it would not block now. The object's own.
    virtual int descriptor() const { return -1; }
};

absl::StatusOr<std::unique_ptr<RunningCommand>> exec(const std::string& control_socket_path, ExecRequest request);

// Of a terminal whose master end this is; the foreground group gets SIGWINCH.
absl::Status resizeTerminal(int master, const TerminalSize& size);

// Asks sliver-init to stop: `signal` (0: SIGTERM) to the sliver's command (to every process when it idles), SIGKILL
// after `grace`, then it exits. Returns at once; watch the pidfd for the end.
absl::Status stop(const std::string& control_socket_path, std::chrono::milliseconds grace, int signal = 0);

// The listening end for LaunchPlan::control_socket; an old socket file is replaced.
absl::StatusOr<UniqueFd> listenControlSocket(const std::string& path);

// How the sliver's command ended, from the `exit` file that sliver-init leaves in the log directory (0-255, 128+N after
// a signal). NOT_FOUND when there is none (killed from outside, or still running).
absl::StatusOr<int> readExitStatus(const std::string& log_directory);

}  // namespace homeslice::init
