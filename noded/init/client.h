// noded's side of sliver-init's control socket (SOCK_SEQPACKET, listening at a path below the runtime directory; only
// host root can reach it). Messages: init/protocol.h. Threads: each object, one caller at a time, except kill().
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::init {

struct ExecRequest {
    std::vector<std::string> argv;  // at least one; found by PATH
    std::vector<std::string> env;   // "NAME=value", over the sliver's own environment
    std::string working_directory;  // empty: /
    UniqueFd stdin_fd;              // handed to the command; invalid: /dev/null
    UniqueFd stdout_fd;
    UniqueFd stderr_fd;
};

// A command that runs in a sliver as a child of its PID 1: same namespaces, cgroup, capabilities, seccomp filter.
// Destroying the object before the command has ended kills its process group.
class RunningCommand {
public:
    virtual ~RunningCommand() = default;
    // Blocks until it ends. 0-255; 128+N after signal N; 126 not executable, 127 not found. UNAVAILABLE when the sliver
    // ended first.
    virtual absl::StatusOr<int> wait() = 0;
    // To the command's process group. Any thread.
    virtual absl::Status kill(int signal) = 0;
};

absl::StatusOr<std::unique_ptr<RunningCommand>> exec(const std::string& control_socket_path, ExecRequest request);

// Asks sliver-init to stop: SIGTERM to the sliver's command (to every process when it idles), SIGKILL after `grace`,
// then it exits. Returns at once; watch the pidfd for the end.
absl::Status stop(const std::string& control_socket_path, std::chrono::milliseconds grace);

// The listening end for LaunchPlan::control_socket; an old socket file is replaced.
absl::StatusOr<UniqueFd> listenControlSocket(const std::string& path);

// How the sliver's command ended, from the `exit` file that sliver-init leaves in the log directory (0-255, 128+N after
// a signal). NOT_FOUND when there is none (killed from outside, or still running).
absl::StatusOr<int> readExitStatus(const std::string& log_directory);

}  // namespace homeslice::init
