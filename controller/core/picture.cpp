#include "controller/core/picture.h"

#include <algorithm>
#include <utility>

#include "controller/addresses/addresses.h"
#include "controller/core/loans.h"
#include "controller/core/names.h"
#include "controller/core/node_role.h"
#include "controller/moves/move.h"

namespace homeslice::controller {
namespace {

std::optional<DiskSource> diskSourceOf(const Sliver& sliver, const Snapshot& snapshot) {
    const auto source = snapshot.nodes.find(sliver.move.source);
    if (source == snapshot.nodes.end()) return std::nullopt;
    return DiskSource{source->second.care_of_address, source->second.api_port, sliver.move.source_generation};
}

SliverSpec specOf(const World& world, const Sliver& sliver, const Role& role, const Slice& slice) {
    SliverSpec desired;
    desired.id = sliver.id;
    desired.generation = role.generation;
    desired.run = role.run;
    // A move goes on: it ends with a sliver that runs, and stands still then.
    if (slice.suspended && !sliver.moving() && role.run == DesiredRun::running) desired.run = DesiredRun::frozen;
    desired.base = slice.base;
    fillResolver(desired.base.resolver, world.home_prefix, world.domain);
    desired.home_address = sliverAddress(world.home_prefix, slice.number, sliver.id.index);
    desired.slice_address = sliceAddress(world.home_prefix, slice.number);
    desired.weight = sliver.weight;
    desired.draining = sliver.draining;
    if (role.takes_disk) desired.disk_source = diskSourceOf(sliver, world.snapshot);
    return desired;
}

std::vector<HomeAgent> homeAgents(const World& world) {
    std::vector<HomeAgent> agents;
    for (const std::string& name : world.index.homeAgents()) {
        const Node& node = world.snapshot.nodes.at(name);
        if (isHomeAgent(node, world.snapshot)) agents.push_back({node.care_of_address, node.api_port});
    }
    return agents;
}

std::map<SliverId, uint32_t> lentOn(const World& world, const std::string& node) {
    if (world.snapshot.loans.empty()) return {};
    return guaranteesWithLoans(world.snapshot, node);
}

}  // namespace

Holdings::Holdings(const World& world, const std::string& node)
    : world_(world), node_(node), lent_(lentOn(world, node)) {}

std::optional<Holding> Holdings::of(const Sliver& sliver) const {
    const auto slice = world_.snapshot.slices.find(sliver.id.slice);
    if (slice == world_.snapshot.slices.end() || slice->second.deleting) return std::nullopt;
    const std::optional<Role> role = roleOn(sliver, node_);
    if (!role) return std::nullopt;
    Holding holding{specOf(world_, sliver, *role, slice->second), ""};
    const auto guarantee = lent_.find(sliver.id);
    if (guarantee != lent_.end()) holding.spec.base.resources.cpu_reservation_millis = guarantee->second;
    if (role->run == DesiredRun::stopped && sliver.moving()) holding.disk_reader = sliver.move.target;
    return holding;
}

Picture wholePicture(const World& world, const std::string& node, NodeLists node_lists) {
    const std::set<std::string>& former = world.index.formerHomeAgents();
    Picture picture;
    picture.home_prefix = world.home_prefix;
    picture.home_agents = homeAgents(world);
    picture.former_home_agents.assign(former.begin(), former.end());
    picture.node_lists = std::move(node_lists);
    const Holdings holdings(world, node);
    for (const Sliver* sliver : world.index.sliversAt(node)) {
        if (auto holding = holdings.of(*sliver)) picture.slivers.emplace(sliver->id, *std::move(holding));
    }
    return picture;
}

Picture changedPicture(const World& world, const std::string& node, uint64_t since,
                       const std::vector<SliverId>& slivers, NodeLists node_lists) {
    const std::set<std::string>& former = world.index.formerHomeAgents();
    Picture picture;
    picture.since = since;
    picture.home_prefix = world.home_prefix;
    picture.home_agents = homeAgents(world);
    picture.former_home_agents.assign(former.begin(), former.end());
    picture.node_lists = std::move(node_lists);
    const Holdings holdings(world, node);
    for (const SliverId& id : slivers) {
        const auto sliver = world.snapshot.slivers.find(id);
        auto holding = sliver == world.snapshot.slivers.end() ? std::nullopt : holdings.of(sliver->second);
        if (holding) {
            picture.slivers.emplace(id, *std::move(holding));
        } else {
            picture.gone.push_back(id);
        }
    }
    return picture;
}

}  // namespace homeslice::controller
