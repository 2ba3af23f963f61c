// What the machine holds of the kinds of things that Homeslice makes, to compare before and after.
#pragma once

#include <set>
#include <string>

namespace homeslice::testing_support {

struct HostSnapshot {
    std::set<std::string> network_namespaces;  // names below /run/netns and inodes that `processes` are in
    std::set<std::string> mounts;              // mount points
    std::set<std::string> links;               // of this network namespace
    std::set<std::string> cgroups;             // of Homeslice: directories of every hierarchy
    std::set<std::string> bpf_objects;         // "map 12 name", "prog 7 name"
    // "pid start-time name" of the processes that may be Homeslice's: programs of this build, whatever lives in a
    // cgroup of Homeslice, and what shares this process's cgroups but not its network namespace. What else the machine
    // does is no concern of a test.
    std::set<std::string> processes;
    std::set<std::string> files;  // below /run/homeslice and /var/lib/homeslice
};

HostSnapshot takeHostSnapshot();

// What `after` has and `before` has not, a line each; empty when nothing was left.
std::string leftovers(const HostSnapshot& before, const HostSnapshot& after);

// Takes snapshots until there are no leftovers or ten seconds have passed: the kernel frees namespaces and programs a
// moment after the last reference has gone. Returns the last leftovers.
std::string awaitNoLeftovers(const HostSnapshot& before);

}  // namespace homeslice::testing_support
