// Seccomp filters: compiled once from a profile by libseccomp (2 ms), kept as a program, loaded by seccomp(2) (20 us).
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace homeslice::sys {

enum class SeccompAction {
    allow,
    fail,  // the call returns -1 with the rule's errno
    kill_process,
    log,  // allow, with a line in the kernel's audit log
};

// True when the argument, unsigned 64 bits, compares as told.
struct SeccompComparison {
    enum class Operator { equal, not_equal, less, less_equal, greater, greater_equal, masked_equal };

    uint32_t argument = 0;  // 0 to 5
    Operator op = Operator::equal;
    uint64_t value = 0;
    uint64_t mask = 0;  // masked_equal: (argument & mask) == value
};

struct SeccompRule {
    std::string syscall;  // "clone3"
    SeccompAction action = SeccompAction::allow;
    int error = 1;                               // of `fail`: EPERM unless told
    std::vector<SeccompComparison> comparisons;  // all must hold; several rules for one call are alternatives
};

struct SeccompProfile {
    SeccompAction default_action = SeccompAction::fail;
    int default_error = 1;  // of `fail`: EPERM unless told
    std::vector<SeccompRule> rules;
};

// The filter as raw struct sock_filter[], for the native architecture; a call by any other ABI of the machine kills the
// process. INVALID_ARGUMENT for a call that libseccomp does not know (see isKnownSyscall()): a slip of the pen must not
// open a hole. Rules with the default's action are left out. Threads: any.
absl::StatusOr<std::string> compileProfile(const SeccompProfile& profile);

// Whether libseccomp has heard of the call on any architecture; newer calls may be missing on an older distribution.
bool isKnownSyscall(const std::string& syscall);

}  // namespace homeslice::sys
