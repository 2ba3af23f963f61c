#include "controller/core/picture.h"

#include "controller/addresses/addresses.h"
#include "controller/core/loans.h"
#include "controller/core/names.h"
#include "controller/moves/move.h"

namespace homeslice::controller {
namespace {

std::optional<DiskSource> diskSourceOf(const Sliver& sliver, const Snapshot& snapshot) {
    const auto source = snapshot.nodes.find(sliver.move.source);
    if (source == snapshot.nodes.end()) return std::nullopt;
    return DiskSource{source->second.care_of_address, source->second.api_port, sliver.move.source_generation};
}

SliverSpec specOf(const Sliver& sliver, const Role& role, const Slice& slice, const Snapshot& snapshot,
                  const Ipv6Prefix& home_prefix, const std::string& domain) {
    SliverSpec desired;
    desired.id = sliver.id;
    desired.generation = role.generation;
    desired.run = role.run;
    // A move goes on: it ends with a sliver that runs, and stands still then.
    if (slice.suspended && !sliver.moving() && role.run == DesiredRun::running) desired.run = DesiredRun::frozen;
    desired.base = slice.base;
    fillResolver(desired.base.resolver, home_prefix, domain);
    desired.home_address = sliverAddress(home_prefix, slice.number, sliver.id.index);
    desired.slice_address = sliceAddress(home_prefix, slice.number);
    desired.weight = sliver.weight;
    desired.draining = sliver.draining;
    if (role.takes_disk) desired.disk_source = diskSourceOf(sliver, snapshot);
    return desired;
}

}  // namespace

Picture pictureFor(const std::string& node, const Snapshot& snapshot, const Ipv6Prefix& home_prefix,
                   const std::string& domain) {
    Picture picture;
    picture.home_prefix = home_prefix;
    for (const auto& [name, known] : snapshot.nodes) {
        if (!snapshot.enrolled_nodes.contains(name)) continue;  // what was revoked is trusted with no packet either
        picture.node_addresses.push_back(known.care_of_address);
        if (known.home_agent) picture.home_agents.push_back({known.care_of_address, known.api_port});
    }
    for (const auto& [name, enrolled] : snapshot.enrolled_nodes) picture.nodes.push_back(enrolled);
    const std::map<SliverId, uint32_t> lent = guaranteesWithLoans(snapshot, node);
    for (const auto& [id, sliver] : snapshot.slivers) {
        const auto slice = snapshot.slices.find(id.slice);
        if (slice == snapshot.slices.end() || slice->second.deleting) continue;
        if (const auto role = roleOn(sliver, node)) {
            SliverSpec& spec = picture.slivers[id];
            spec = specOf(sliver, *role, slice->second, snapshot, home_prefix, domain);
            const auto guarantee = lent.find(id);
            if (guarantee != lent.end()) spec.base.resources.cpu_reservation_millis = guarantee->second;
            if (role->run == DesiredRun::stopped && sliver.moving()) picture.disk_readers[id] = sliver.move.target;
        }
    }
    return picture;
}

}  // namespace homeslice::controller
