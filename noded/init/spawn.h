// Starts commands inside the sliver.
#pragma once

#include <sys/types.h>

namespace homeslice::init {

struct Command {
    char** argv = nullptr;         // ends with nullptr; found by the command's PATH
    char** environment = nullptr;  // "NAME=value"s over the caller's environment, ends with nullptr; may be absent
    const char* directory = "/";
    const char* user = "";  // for resolveUser(); empty: `uid` and `gid`
    uid_t uid = 0;
    gid_t gid = 0;
    int streams[3] = {-1, -1, -1};  // stdin, stdout, stderr, none of them below 3; -1: /dev/null
    bool terminal = false;          // the streams are a terminal, which becomes the command's
    int failure = -1;               // close-on-exec; gets a byte when the command could not be executed. -1: none
};

inline constexpr int kNotExecutable = 126;
inline constexpr int kNotFound = 127;

// The child's pid, or -errno. The child leads a session of its own (with a terminal on stdin as its controlling one),
// has default signals, and PATH and HOME if it was given none; HOME is the user's when the request names a user. When
// it cannot execute, it says so on stderr and ends with kNotFound or kNotExecutable.
pid_t spawn(const Command& command);

// 0-255, 128 + N after signal N, from waitpid(2)'s wait status.
int exitStatus(int wait_status);

}  // namespace homeslice::init
