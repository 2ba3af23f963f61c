// Starts commands inside the sliver.
#pragma once

#include <sys/types.h>

namespace homeslice::init {

struct Command {
    char** argv = nullptr;         // ends with nullptr; found by the command's PATH
    char** environment = nullptr;  // "NAME=value"s over the caller's environment, ends with nullptr; may be absent
    const char* directory = "/";
    uid_t uid = 0;
    gid_t gid = 0;
    int streams[3] = {-1, -1, -1};  // stdin, stdout, stderr, none of them below 3; -1: /dev/null
};

inline constexpr int kNotExecutable = 126;
inline constexpr int kNotFound = 127;

// The child's pid, or -errno. The child leads a session of its own (a terminal on stdin becomes its controlling one),
// has default signals and PATH and HOME if it was given none. When it cannot execute, it says so on stderr and ends
// with kNotFound or kNotExecutable.
pid_t spawn(const Command& command);

// 0-255, 128 + N after signal N, from waitpid(2)'s wait status.
int exitStatus(int wait_status);

}  // namespace homeslice::init
