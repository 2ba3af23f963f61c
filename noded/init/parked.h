// The wait of a sliver-init that was started ahead (assignment.h).
#pragma once

namespace homeslice::init {

// Waits for the assignment; then `argc`, `argv` and environ are as if it had come with the exec. nullptr, or what
// failed, with errno set (0: noded gave the sliver up).
const char* awaitAssignment(int socket, int& argc, char**& argv);

}  // namespace homeslice::init
