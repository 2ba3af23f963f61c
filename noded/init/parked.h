// The wait for what is to be run (assignment.h).
#pragma once

#include <cstddef>

namespace homeslice::init {

// Waits for the assignment: `words` of them in its order, ended by a nullptr, and its environment in environ. nullptr,
// or what failed, with errno set (0: noded gave the sliver up).
const char* awaitAssignment(int socket, size_t& count, char**& words);

}  // namespace homeslice::init
