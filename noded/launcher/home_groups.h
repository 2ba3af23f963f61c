// The cgroup v1 groups that the launcher itself lives in, and visits to a sliver's.
//
// A child starts in the groups of its parent. Moving a process from outside costs milliseconds (the kernel waits for an
// RCU grace period); a single thread that moves itself costs microseconds: so the launcher enters, clones and returns.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::launcher {

class HomeGroups {
public:
    // Where the calling process is now, in every mounted v1 hierarchy.
    static HomeGroups find();

    // Enters one directory of a v1 hierarchy: 0 or errno.
    int enter(const char* directory);
    // Returns from every directory that was entered.
    void comeBack();

private:
    struct Hierarchy {
        std::string mount_point;
        std::string home;
        UniqueFd home_tasks;  // open all the time: opening takes longer than moving
        bool away = false;
    };
    std::vector<Hierarchy> hierarchies_;
};

}  // namespace homeslice::launcher
