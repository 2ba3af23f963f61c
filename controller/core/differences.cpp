#include "controller/core/differences.h"

#include <algorithm>

#include "controller/core/known_nodes.h"
#include "controller/core/picture.h"

namespace homeslice::controller {
namespace {

// Of what nodes hold of its slivers.
bool isSameForSlivers(const Slice& a, const Slice& b) {
    return a.base == b.base && a.number == b.number && a.suspended == b.suspended && a.deleting == b.deleting;
}

bool isSameForNames(const Slice& a, const Slice& b) {
    return a.number == b.number && a.deleting == b.deleting && a.owner == b.owner;
}

const Slice* findSlice(const Snapshot& snapshot, const std::string& name) {
    const auto found = snapshot.slices.find(name);
    return found == snapshot.slices.end() ? nullptr : &found->second;
}

}  // namespace

Differences::Differences(const World& before, const Changes& changes) {
    touchNodes(before, changes);
    touchSlivers(before, changes);
    touchNames(before, changes);
    std::map<std::string, std::vector<const Sliver*>> by_node;
    for (const SliverId& id : slivers_) {
        const auto sliver = before.snapshot.slivers.find(id);
        if (sliver == before.snapshot.slivers.end()) continue;
        for (const std::string* node : nodesOf(sliver->second)) {
            if (before.nodes.connected(*node)) by_node[*node].push_back(&sliver->second);
        }
    }
    for (const auto& [node, slivers] : by_node) {
        const Holdings holdings(before, node);
        for (const Sliver* sliver : slivers) held_[{node, sliver->id}] = holdings.of(*sliver);
    }
}

void Differences::touchAll(const Snapshot& snapshot, const std::string& slice) {
    for (const Sliver* sliver : sliversOf(snapshot, slice)) slivers_.insert(sliver->id);
}

void Differences::touchSlivers(const World& before, const Changes& changes) {
    for (const Sliver& sliver : changes.put_slivers) slivers_.insert(sliver.id);
    for (const SliverId& id : changes.erase_slivers) slivers_.insert(id);
    for (const Slice& slice : changes.put_slices) {
        const Slice* known = findSlice(before.snapshot, slice.name);
        if (known != nullptr && !isSameForSlivers(*known, slice)) touchAll(before.snapshot, slice.name);
    }
    for (const std::string& slice : changes.erase_slices) touchAll(before.snapshot, slice);
    touchLoans(before.snapshot, changes);
}

// Who lends to whom on a node depends on what both have there.
void Differences::touchLoans(const Snapshot& snapshot, const Changes& changes) {
    std::set<std::string> touched;
    for (const Loan& loan : changes.put_loans) touched.insert({loan.lender, loan.borrower});
    std::set<std::string> slices;
    for (const SliverId& id : slivers_) slices.insert(id.slice);
    for (const auto& [key, loan] : snapshot.loans) {
        const auto& ended = changes.erase_loans;
        const bool ends = std::find(ended.begin(), ended.end(), key) != ended.end();
        if (!ends && !slices.contains(loan.lender) && !slices.contains(loan.borrower)) continue;
        touched.insert({loan.lender, loan.borrower});
    }
    for (const std::string& slice : touched) touchAll(snapshot, slice);
}

// A disk is fetched from where its node is.
void Differences::touchNodes(const World& before, const Changes& changes) {
    for (const Node& node : changes.put_nodes) {
        faces_[node.name] = faceOf(before.snapshot, node.name);
        const auto known = before.snapshot.nodes.find(node.name);
        const bool same = known != before.snapshot.nodes.end() && known->second.api_port == node.api_port &&
                          known->second.care_of_address == node.care_of_address;
        if (same) continue;
        for (const Sliver* sliver : before.index.sliversAt(node.name)) {
            if (sliver->move.source == node.name) slivers_.insert(sliver->id);
        }
    }
    for (const EnrolledNode& node : changes.put_enrolled_nodes) faces_[node.name] = faceOf(before.snapshot, node.name);
    for (const std::string& node : changes.erase_enrolled_nodes) faces_[node] = faceOf(before.snapshot, node);
}

void Differences::touchNames(const World& before, const Changes& changes) {
    for (const Slice& slice : changes.put_slices) {
        const Slice* known = findSlice(before.snapshot, slice.name);
        if (known == nullptr || !isSameForNames(*known, slice)) names_.insert(slice.name);
    }
    for (const Sliver& sliver : changes.put_slivers) {
        if (!names_.contains(sliver.id.slice) && !before.snapshot.slivers.contains(sliver.id)) {
            names_.insert(sliver.id.slice);
        }
    }
    // Those of a slice that is being deleted have no names any more.
    const auto isNamed = [&before](const std::string& name) {
        const Slice* slice = findSlice(before.snapshot, name);
        return slice != nullptr && !slice->deleting;
    };
    for (const SliverId& id : changes.erase_slivers) {
        if (isNamed(id.slice)) names_.insert(id.slice);
    }
    for (const std::string& slice : changes.erase_slices) {
        if (isNamed(slice)) names_.insert(slice);
    }
}

Differences::Face Differences::faceOf(const Snapshot& snapshot, const std::string& node) {
    const auto found = snapshot.nodes.find(node);
    Face face;
    face.known = knownNode(snapshot, node);
    if (found == snapshot.nodes.end()) return face;
    face.home_agent = found->second.home_agent;
    face.api_port = found->second.api_port;
    return face;
}

Differences::Found Differences::in(const World& after) const {
    Found found;
    std::map<std::string, std::vector<const Sliver*>> by_node;
    for (const SliverId& id : slivers_) {
        const auto sliver = after.snapshot.slivers.find(id);
        if (sliver == after.snapshot.slivers.end()) continue;
        for (const std::string* node : nodesOf(sliver->second)) {
            if (after.nodes.connected(*node)) by_node[*node].push_back(&sliver->second);
        }
    }
    for (const auto& [node, slivers] : by_node) {
        const Holdings holdings(after, node);
        for (const Sliver* sliver : slivers) {
            const auto before = held_.find({node, sliver->id});
            const auto held = before == held_.end() ? std::nullopt : before->second;
            if (holdings.of(*sliver) != held) found.holdings.emplace_back(node, sliver->id);
        }
    }
    // Of what has nothing to do with the node any more.
    for (const auto& [where, held] : held_) {
        if (!held) continue;
        const auto sliver = after.snapshot.slivers.find(where.second);
        const bool concerns = sliver != after.snapshot.slivers.end() && [&] {
            const auto nodes = nodesOf(sliver->second);
            return std::any_of(nodes.begin(), nodes.end(),
                               [&](const std::string* node) { return *node == where.first; });
        }();
        if (!concerns) found.holdings.push_back(where);
    }
    for (const auto& [name, face] : faces_) {
        if (!(faceOf(after.snapshot, name) == face)) found.nodes.push_back(name);
    }
    found.slices.assign(names_.begin(), names_.end());
    return found;
}

}  // namespace homeslice::controller
