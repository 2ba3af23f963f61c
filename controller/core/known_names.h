// The names that every node's resolver answers for, and how to tell their changes. Threads: none of its own, the core's
// lock covers it.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "controller/core/change_log.h"
#include "controller/core/views.h"
#include "spec/slice_names.h"

namespace homeslice::controller {

class KnownNames {
public:
    // Serials begin above `begin`, which is not 0.
    explicit KnownNames(uint64_t begin) : changes_(begin) {}

    // The names of the slice have changed with `revision`, which is not below that of an earlier call.
    void note(const std::string& slice, uint64_t revision);
    // Serial of the newest change.
    uint64_t newest() const { return changes_.newest(); }
    bool reachesBackTo(uint64_t serial) const { return changes_.reachesBackTo(serial); }

    // All names; unless `now` as they were some time ago, if since() goes on from there. Valid until the next call.
    const NameTable& whole(const World& world, bool now);
    // How they differ from the table of this serial. Valid until the next call.
    const NameTable& since(const World& world, uint64_t serial);

private:
    const SliceNames* namesOf(const World& world, const std::string& slice);

    ChangeLog changes_;
    std::unordered_map<std::string, SliceNames> made_;  // by slice
    NameTable whole_;
    NameTable latest_;  // changes that were told last
};

}  // namespace homeslice::controller
