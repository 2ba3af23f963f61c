#include "controller/placement/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr uint32_t kMaxSlivers = 65535;  // a sliver's index is 16 bits of its home address

absl::Status checkRequest(const PlacementRequest& request) {
    if (request.nodes.empty() && request.node_count == 0) {
        return invalidArgument("say how many nodes, or which: at least one");
    }
    if (!request.nodes.empty() && request.node_count != 0) {
        return invalidArgument("give either a number of nodes or their names, not both");
    }
    if (std::set<std::string>(request.nodes.begin(), request.nodes.end()).size() != request.nodes.size()) {
        return invalidArgument("a node is named twice");
    }
    const uint64_t nodes = request.nodes.empty() ? request.node_count : request.nodes.size();
    const uint64_t slivers = request.sliver_count == 0 ? nodes : request.sliver_count;
    if (slivers < nodes) {
        return invalidArgument(fmt::format("{} slivers are too few for {} nodes: each node gets one", slivers, nodes));
    }
    if (slivers > kMaxSlivers) {
        return invalidArgument(fmt::format("{} slivers are too many: a slice has at most {}", slivers, kMaxSlivers));
    }
    return absl::OkStatus();
}

absl::StatusOr<std::vector<Candidate>> named(const std::vector<std::string>& names,
                                             const std::vector<Candidate>& candidates) {
    std::vector<Candidate> chosen;
    for (const std::string& name : names) {
        const auto found = std::find_if(candidates.begin(), candidates.end(),
                                        [&name](const Candidate& candidate) { return candidate.name == name; });
        if (found == candidates.end()) return notFound("no node '" + name + "'");
        HS_RETURN_IF_ERROR(checkTakesSlivers(*found));
        chosen.push_back(*found);
    }
    return chosen;
}

void sortByLoad(std::vector<Candidate>& candidates) {
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return a.slivers != b.slivers ? a.slivers < b.slivers : a.name < b.name;
    });
}

absl::StatusOr<std::vector<Candidate>> leastLoaded(uint32_t count, const std::vector<Candidate>& candidates) {
    std::vector<Candidate> usable;
    std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(usable),
                 [](const Candidate& candidate) { return checkTakesSlivers(candidate).ok(); });
    if (usable.size() < count) {
        return resourceExhausted(
            fmt::format("{} nodes are asked for and {} ready: see slicectl node ls", count, usable.size()));
    }
    sortByLoad(usable);
    usable.resize(count);
    return usable;
}

}  // namespace

absl::Status checkTakesSlivers(const Candidate& candidate) {
    if (candidate.home_agent) {
        return failedPrecondition("node '" + candidate.name + "' is a home agent and takes no slivers");
    }
    if (!candidate.ready) {
        return failedPrecondition("node '" + candidate.name + "' is not ready: " + candidate.reason);
    }
    return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> place(const PlacementRequest& request,
                                               const std::vector<Candidate>& candidates) {
    HS_RETURN_IF_ERROR(checkRequest(request));
    HS_ASSIGN_OR_RETURN(std::vector<Candidate> nodes, request.nodes.empty()
                                                          ? leastLoaded(request.node_count, candidates)
                                                          : named(request.nodes, candidates));
    // Names that the user gave keep their order, so that sliver 1 is on the first of them; only what is left over after
    // an even deal goes by load.
    const size_t slivers = request.sliver_count == 0 ? nodes.size() : request.sliver_count;
    std::vector<std::string> placed;
    placed.reserve(slivers);
    while (placed.size() + nodes.size() <= slivers) {
        for (const Candidate& node : nodes) placed.push_back(node.name);
    }
    sortByLoad(nodes);
    for (size_t i = 0; placed.size() < slivers; ++i) placed.push_back(nodes[i].name);
    return placed;
}

}  // namespace homeslice::controller
