// What a sliver-init is to run. It is executed without: isolated, it reports Ready and waits on the setup socket for
// this, goes on and reports Ready again when the command has been started. So it can be made ahead of its sliver, or
// while the sliver's network is. End of file ends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace homeslice::init {

// One message with one descriptor: a file of `size` bytes with strings (sys/packed_strings.h), first UID GID USER
// DIRECTORY LOG-BYTES LOG-FILES [COMMAND ARGUMENT...], then the command's environment. The command runs as USER
// (user.h), or as UID and GID when that is empty. Without a command sliver-init idles.
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
