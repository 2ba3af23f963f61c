#include "controller/core/rebalance.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "controller/core/capacity.h"
#include "controller/core/drain.h"
#include "controller/moves/move.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

constexpr uint32_t kWeightWithoutGuarantee = 100;  // thousandths of a CPU
constexpr size_t kMovesAtOnce = 4;                 // of one rebalancing: each carries a disk over the network
// A move stops the sliver and carries its disk: it is worth that when the node that it leaves was so much fuller, as a
// share of its processors, than the one that it goes to will be.
constexpr double kWorthwhile = 0.05;

uint32_t weightOf(const Slice& slice) {
    const uint32_t guarantee = slice.base.resources.cpu_reservation_millis;
    return guarantee == 0 ? kWeightWithoutGuarantee : guarantee;
}

// A node and the slivers that are on it, or about to be.
struct Loaded {
    Candidate node;
    uint64_t weight = 0;
    std::vector<const Sliver*> slivers;

    double loadWith(int64_t more) const {
        return static_cast<double>(static_cast<int64_t>(weight) + more) / std::max(node.cpu_millis, 1U);
    }
    double load() const { return loadWith(0); }
};

class Scales {
public:
    Scales(const World& world, const std::set<SliverId>& except) : world_(world), except_(except) {
        for (Candidate& candidate : candidates(world)) {
            if (candidate.home_agent || !candidate.ready || candidate.cpu_millis == 0) continue;
            const std::string name = candidate.name;
            nodes_[name].node = std::move(candidate);
        }
        for (const auto& [id, sliver] : world.snapshot.slivers) {
            const auto node = nodes_.find(sliver.moving() ? sliver.move.target : sliver.node);
            const Slice* slice = sliceOf(id);
            if (node == nodes_.end() || slice == nullptr) continue;
            node->second.weight += weightOf(*slice);
            if (mayLeave(sliver, *slice)) node->second.slivers.push_back(&sliver);
        }
    }

    // Takes the step that even things out most; nothing when none is worth it.
    std::optional<RebalanceStep> next() {
        std::vector<Loaded*> order = byLoad();
        for (auto from = order.rbegin(); from != order.rend(); ++from) {
            if (auto step = stepFrom(**from, order)) return step;
        }
        return std::nullopt;
    }

    double spread() const {
        double most = 0;
        std::optional<double> least;
        for (const auto& [name, node] : nodes_) {
            most = std::max(most, node.load());
            if (!node.node.cordoned) least = std::min(least.value_or(node.load()), node.load());
        }
        return 100 * (most - least.value_or(most));
    }

private:
    const Slice* sliceOf(const SliverId& id) const {
        const auto slice = world_.snapshot.slices.find(id.slice);
        return slice == world_.snapshot.slices.end() ? nullptr : &slice->second;
    }

    bool mayLeave(const Sliver& sliver, const Slice& slice) const {
        return !sliver.moving() && !sliver.frozen && !slice.suspended && !slice.deleting &&
               !except_.contains(sliver.id);
    }

    // Of one that is in a scale: its slice is there.
    const Slice& ownerOf(const Sliver& sliver) const { return world_.snapshot.slices.at(sliver.id.slice); }

    // The emptiest first.
    std::vector<Loaded*> byLoad() {
        std::vector<Loaded*> order;
        for (auto& [name, node] : nodes_) order.push_back(&node);
        std::stable_sort(order.begin(), order.end(),
                         [](const Loaded* a, const Loaded* b) { return a->load() < b->load(); });
        return order;
    }

    // The heaviest sliver first: the fewest moves.
    std::optional<RebalanceStep> stepFrom(Loaded& from, const std::vector<Loaded*>& order) {
        std::stable_sort(from.slivers.begin(), from.slivers.end(), [this](const Sliver* a, const Sliver* b) {
            return weightOf(ownerOf(*a)) > weightOf(ownerOf(*b));
        });
        const std::string* tried = nullptr;  // slivers of one slice are all alike here
        for (const Sliver* sliver : from.slivers) {
            if (tried != nullptr && *tried == sliver->id.slice) continue;
            tried = &sliver->id.slice;
            for (Loaded* to : order) {
                if (!isWorthIt(from, *to, ownerOf(*sliver))) break;
                if (to == &from || !fits(*to, *sliver)) continue;
                return carry(from, *to, *sliver);
            }
        }
        return std::nullopt;
    }

    static bool isWorthIt(const Loaded& from, const Loaded& to, const Slice& slice) {
        return from.load() - to.loadWith(weightOf(slice)) >= kWorthwhile - 1e-9;
    }

    bool fits(const Loaded& to, const Sliver& sliver) const {
        if (sliver.holders.contains(to.node.name)) return false;
        const Slice& slice = ownerOf(sliver);
        const std::vector<Candidate> node = candidatesFor(world_, {to.node}, slice);
        return misfitOf(node.front(), slice.rules, slice.base.resources.cpu_reservation_millis).empty();
    }

    RebalanceStep carry(Loaded& from, Loaded& to, const Sliver& sliver) {
        const Slice& slice = ownerOf(sliver);
        const auto weight = static_cast<int64_t>(weightOf(slice));
        RebalanceStep step{sliver.id, from.node.name, to.node.name,
                           fmt::format("load {:.0f}% -> {:.0f}%, {:.0f}% -> {:.0f}%", 100 * from.load(),
                                       100 * from.loadWith(-weight), 100 * to.load(), 100 * to.loadWith(weight))};
        from.weight -= static_cast<uint64_t>(weight);
        to.weight += static_cast<uint64_t>(weight);
        from.node.reserved_millis -= std::min(from.node.reserved_millis, slice.base.resources.cpu_reservation_millis);
        to.node.reserved_millis += slice.base.resources.cpu_reservation_millis;
        to.node.slices.push_back(slice.name);
        std::erase(from.slivers, &sliver);  // once is enough
        return step;
    }

    const World& world_;
    const std::set<SliverId>& except_;
    std::map<std::string, Loaded> nodes_;
};

size_t movesOf(const World& world, const Operation& operation) {
    const SliverSet& moving = world.index.moving();
    return static_cast<size_t>(std::count_if(moving.begin(), moving.end(), [&operation](const Sliver* sliver) {
        return sliver->move.operation == operation.id;
    }));
}

Operation ended(Operation operation, int64_t now_us) {
    if (operation.failures.empty()) {
        return succeeded(std::move(operation), "no move would even out the nodes any more", now_us);
    }
    operation.state = operation.failures.size() < operation.total ? OperationState::partial : OperationState::failed;
    operation.step = fmt::format("{} moves failed", operation.failures.size());
    operation.ended_us = now_us;
    return operation;
}

void goOn(const World& world, const Operation& operation, Changes& changes) {
    const size_t moving = movesOf(world, operation);
    if (moving >= kMovesAtOnce) return;
    std::set<SliverId> failed_before;
    for (const OperationFailure& failure : operation.failures) failed_before.insert(failure.sliver);
    const std::vector<RebalanceStep> steps = planRebalance(world, failed_before, kMovesAtOnce - moving);
    if (steps.empty() && moving > 0) return;
    Operation next = viewRebalance(world, operation);
    for (const RebalanceStep& step : steps) {
        changes.put_slivers.push_back(beginMove(world.snapshot.slivers.at(step.sliver), step.to, operation.id));
        next.total += 1;
    }
    changes.put_operations.push_back(steps.empty() ? ended(std::move(next), world.now_us) : std::move(next));
}

}  // namespace

std::vector<RebalanceStep> planRebalance(const World& world, const std::set<SliverId>& except, size_t most) {
    Scales scales(world, except);
    std::vector<RebalanceStep> steps;
    while (steps.size() < most) {
        auto step = scales.next();
        if (!step) break;
        steps.push_back(*std::move(step));
    }
    return steps;
}

double loadSpread(const World& world) { return Scales(world, {}).spread(); }

void settleRebalances(const World& world, Changes& changes) {
    const std::set<std::string>& running = world.index.running(OperationKind::rebalance);
    // One at a time: the next counts on what this one has moved.
    if (!running.empty()) goOn(world, world.snapshot.operations.at(*running.begin()), changes);
}

Operation viewRebalance(const World& world, Operation operation) {
    const size_t moving = movesOf(world, operation);
    const size_t open = moving + operation.failures.size();
    operation.done = operation.total - static_cast<uint32_t>(std::min<size_t>(open, operation.total));
    operation.step = fmt::format("{} slivers move", moving);
    return operation;
}

}  // namespace homeslice::controller
