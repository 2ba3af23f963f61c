// What sliver-init leaves in a sliver's log directory.
//
//   log     The command's output, a line a record, in the format that CRI gives container logs:
//               2026-01-02T03:04:05.123456789Z stdout F text of the line
//           F: the line ends here. P: it goes on in the next record of the same stream (longer than kMaxLogText, or the
//           last words of a command that did not end them with a newline).
//   log.1   The file before, from when `log` reached kLogRotationSize. What was in log.1 until then is gone.
//   exit    The command's exit status in decimal, with a newline; written when it has ended, absent before.
#pragma once

#include <cstddef>
#include <cstdint>

namespace homeslice::init {

inline constexpr char kLogFile[] = "log";
inline constexpr char kRotatedLogFile[] = "log.1";
inline constexpr char kExitFile[] = "exit";
inline constexpr uint64_t kLogRotationSize = 10 << 20;
inline constexpr size_t kMaxLogText = 16 << 10;

}  // namespace homeslice::init
