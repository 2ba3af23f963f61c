// Takes everything away that a lab has made, whatever state it is in. Works from fixed names and from what the kernel
// shows, so that it needs no lab.json; repeating it is safe. The caller holds the lab's lock.
#pragma once

#include <absl/status/statusor.h>

namespace homeslice::ctl::lab {

// Whether anything of a lab is there.
absl::StatusOr<bool> isAnythingLeft();
// FAILED_PRECONDITION when called from inside the lab, which would end the caller too.
absl::Status sweep();

}  // namespace homeslice::ctl::lab
