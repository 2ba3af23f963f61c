// noded's side of a sliver's log directory (log_format.h): the records, also as they come.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>

namespace homeslice::init {

struct LogRange {
    int64_t since_us = 0;  // Unix microseconds; older records are left out
    uint32_t tail = 0;     // this many lines from the end of what there is; 0: all
    bool follow = false;   // and what is added from then on
};

// Writes the records to `sink`, the write end of a pipe, oldest first, across all of the log's files and across
// rotations: nothing is lost or repeated, unless the sink is read so slowly that the log drops whole files meanwhile.
// With `follow` what was written before the directory's removal is read to its end after it.
// Blocks. Without `follow` it returns after what there is; with it, OK when the directory is removed or the sink has no
// reader any more (errno EPIPE, when that shows at a write). A directory without a log is an empty log; NOT_FOUND
// without the directory. RESOURCE_EXHAUSTED when the kernel gives no inotify instance for one more follower. The
// program ignores SIGPIPE. Threads: any.
absl::Status copyLog(const std::string& directory, const LogRange& range, int sink);

}  // namespace homeslice::init
