#include "controller/core/known_names.h"

#include "controller/core/names.h"

namespace homeslice::controller {
namespace {

NameTable emptyTable(const World& world, uint64_t serial) {
    NameTable table;
    table.serial = serial;
    table.domain = world.domain;
    table.home_prefix = world.home_prefix;
    return table;
}

}  // namespace

void KnownNames::note(const std::string& slice, uint64_t revision) {
    changes_.note(slice, revision);
    made_.erase(slice);
}

const NameTable& KnownNames::whole(const World& world, bool now) {
    const bool usable = whole_.serial != 0 && changes_.reachesBackTo(whole_.serial);
    if (usable && (whole_.serial == newest() || !now)) return whole_;
    whole_ = emptyTable(world, newest());
    for (const auto& [name, slice] : world.snapshot.slices) {
        if (const SliceNames* names = namesOf(world, name)) whole_.slices.push_back(*names);
    }
    return whole_;
}

const NameTable& KnownNames::since(const World& world, uint64_t serial) {
    if (latest_.since == serial && latest_.serial == newest()) return latest_;
    latest_ = emptyTable(world, newest());
    latest_.since = serial;
    for (const std::string& name : changes_.since(serial)) {
        if (const SliceNames* names = namesOf(world, name)) {
            latest_.slices.push_back(*names);
        } else {
            latest_.gone.push_back(name);
        }
    }
    return latest_;
}

// Null when the slice has none.
const SliceNames* KnownNames::namesOf(const World& world, const std::string& slice) {
    const auto found = world.snapshot.slices.find(slice);
    if (found == world.snapshot.slices.end() || found->second.deleting) return nullptr;
    const auto made = made_.find(slice);
    if (made != made_.end()) return &made->second;
    return &made_.emplace(slice, controller::namesOf(world, found->second)).first->second;
}

}  // namespace homeslice::controller
