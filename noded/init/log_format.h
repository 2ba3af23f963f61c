// What sliver-init leaves in a sliver's log directory.
//
//   log     The command's output, a line a record, in the format that CRI gives container logs:
//               2026-01-02T03:04:05.123456789Z stdout F text of the line
//           F: the line ends here. P: it goes on in the next record of the same stream (longer than kMaxLogText, or the
//           last words of a command that did not end them with a newline).
//   log.1   The file before, from when `log` reached its limit; log.2 the one before that, and so on. The oldest is
//           removed when it would be one too many. Whoever finds `log` to be another file than before has all of the
//           one before: nothing is added to it any more.
//   exit    The command's exit status in decimal, with a newline; written when it has ended, absent before.
#pragma once

#include <cstddef>
#include <cstdint>

namespace homeslice::init {

inline constexpr char kLogFile[] = "log";
inline constexpr char kExitFile[] = "exit";
inline constexpr size_t kMaxLogText = 16 << 10;
inline constexpr size_t kLogTimeSize = sizeof("2026-01-02T03:04:05.123456789Z") - 1;

inline constexpr uint64_t kDefaultLogBytes = 10 << 20;
inline constexpr uint32_t kDefaultLogFiles = 2;
inline constexpr uint32_t kMaxLogFiles = 100;

// How much of the log is kept: `files` of about `max_bytes` each (one record may be beyond it).
struct LogLimits {
    uint64_t max_bytes = kDefaultLogBytes;
    uint32_t files = kDefaultLogFiles;  // 1 to kMaxLogFiles
};

}  // namespace homeslice::init
