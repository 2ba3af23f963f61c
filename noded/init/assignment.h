// sliver-init that was started ahead, for a sliver to come: its command line is the one word "parked". It reports Ready
// and waits on the setup socket, which it keeps open, for the command line and environment that it was not given. Then
// it goes on as if it had been, and reports Ready again. End of file ends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace homeslice::init {

inline constexpr char kParked[] = "parked";

// One message with one descriptor: a file of `size` bytes with strings (sys/packed_strings.h), the command line but its
// first word, and the environment.
struct Assignment {
    uint32_t size = 0;
    uint32_t argument_count = 0;
    uint32_t environment_count = 0;
};
static_assert(sizeof(Assignment) == 12);
static_assert(std::is_trivially_copyable_v<Assignment>);

inline constexpr size_t kMaxAssignmentSize = 1 << 20;
inline constexpr uint32_t kMaxAssignedStrings = 16384;

}  // namespace homeslice::init
