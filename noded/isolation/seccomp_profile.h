// Which system calls a sliver may make.
#pragma once

#include "noded/sys/seccomp.h"

namespace homeslice::isolation {

// An allow-list. What is refused on purpose fails with EPERM; what the list has never heard of fails with ENOSYS, as on
// an older kernel, so that libraries fall back on what they did before.
sys::SeccompProfile sliverSeccompProfile();

}  // namespace homeslice::isolation
