// Processes: identity that survives a restart of noded, pidfds, signals, ends.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace homeslice::sys {

// A pid alone can be reused; with its start time (proc(5) stat field 22, clock ticks) and the boot id it cannot.
struct ProcessIdentity {
    pid_t pid = 0;
    uint64_t start_time = 0;
    std::string boot_id;

    bool operator==(const ProcessIdentity&) const = default;
};

// The running kernel's boot id (random(4)).
absl::StatusOr<std::string> bootId();
absl::StatusOr<ProcessIdentity> identify(pid_t pid);
// A pidfd of exactly this process; NOT_FOUND when it has ended (also when its pid now belongs to another).
absl::StatusOr<UniqueFd> openProcess(const ProcessIdentity& identity);
// pidfd_send_signal(2); OK when the process has already ended.
absl::Status signalProcess(int pidfd, int signal);
// True when the process behind `pidfd` ended within `timeout` (poll(2) on the pidfd; works without being the parent).
absl::StatusOr<bool> waitForEnd(int pidfd, std::chrono::milliseconds timeout);
// PR_SET_CHILD_SUBREAPER for the calling process.
absl::Status becomeSubreaper();

}  // namespace homeslice::sys
