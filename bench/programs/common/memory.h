// Memory of processes: the proportional set size, in which a page shared by N processes counts 1/N for each.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace homeslice::bench {

// Bytes; 0 for a process that is gone.
double pssOf(pid_t pid);
// The name that the kernel has for it (/proc/PID/comm).
std::string nameOf(pid_t pid);
std::vector<pid_t> childrenOf(pid_t pid);
// `root`, its children, theirs, and so on.
std::vector<pid_t> treeOf(pid_t root);

}  // namespace homeslice::bench
