// What slivers left behind that no record knows any more: after a crash, or after a lost record.
#pragma once

#include <absl/status/status.h>

#include <set>
#include <string>

#include "noded/isolation/id_pool.h"
#include "noded/isolation/isolators.h"

namespace homeslice::isolation {

// What records know; all else of ours goes.
struct KnownSlivers {
    std::set<std::string> file_names;   // of directories: SliverId::fileName()
    std::set<std::string> group_names;  // a sliver whose environment was made ahead keeps the group's name of then
    std::set<std::string> link_names;
};

// Groups below the cgroup parent with their processes, links whose names are of `ids`' ranges, sliver directories. Goes
// on after a failure, and returns the first.
absl::Status removeOrphans(const IsolationConfig& config, const IdPool& ids, sys::Cgroups& cgroups,
                           const KnownSlivers& known);

// What the machine shows of a sliver whose record cannot be read: names, and the id range that owns its log.
SliverRuntime rediscover(const IsolationConfig& config, const sys::Cgroups& cgroups, const SliverId& id);

}  // namespace homeslice::isolation
