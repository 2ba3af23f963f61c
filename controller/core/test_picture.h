// For tests: what a node knows after all that it was told in a session.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/model/model.h"
#include "spec/slice_names.h"

namespace homeslice::controller::testing_support {

struct KnownPicture {
    std::map<SliverId, SliverSpec> slivers;
    std::map<SliverId, std::string> disk_readers;
    std::map<std::string, KnownNode> nodes;
    std::vector<HomeAgent> home_agents;

    void take(const Picture& picture) {
        if (picture.since == 0) *this = KnownPicture();
        for (const SliverId& id : picture.gone) {
            slivers.erase(id);
            disk_readers.erase(id);
        }
        for (const auto& [id, holding] : picture.slivers) {
            slivers[id] = holding.spec;
            disk_readers.erase(id);
            if (!holding.disk_reader.empty()) disk_readers[id] = holding.disk_reader;
        }
        for (const auto& list : picture.node_lists) {
            for (const std::string& name : list->gone) nodes.erase(name);
            for (const KnownNode& node : list->nodes) nodes[node.enrolled.name] = node;
        }
        home_agents = picture.home_agents;
    }
};

// The table of names that `change` makes of `table`.
inline void take(NameTable& table, const NameTable& change) {
    if (change.since == 0) {
        table = change;
        return;
    }
    std::map<std::string, SliceNames> slices;
    for (SliceNames& slice : table.slices) slices[slice.slice] = std::move(slice);
    for (const SliceNames& slice : change.slices) slices[slice.slice] = slice;
    for (const std::string& name : change.gone) slices.erase(name);
    table.serial = change.serial;
    table.slices.clear();
    for (auto& [name, slice] : slices) table.slices.push_back(std::move(slice));
}

}  // namespace homeslice::controller::testing_support
