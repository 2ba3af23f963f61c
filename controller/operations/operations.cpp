#include "controller/operations/operations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/names.h"

namespace homeslice::controller {
namespace {

enum class Arrival { waiting, there, failed };

bool isAmong(SliverState state, std::initializer_list<SliverState> states) {
    return std::find(states.begin(), states.end(), state) != states.end();
}

// Whether the sliver has got where the operation wants it.
Arrival arrivalIn(SliverState state, std::initializer_list<SliverState> there,
                  std::initializer_list<SliverState> hopeless) {
    if (isAmong(state, there)) return Arrival::there;
    return isAmong(state, hopeless) ? Arrival::failed : Arrival::waiting;
}

Arrival arrivalOf(OperationKind kind, const SliverProgress& sliver) {
    using enum SliverState;
    switch (kind) {
        case OperationKind::createSlice:
        case OperationKind::replaceSlivers:
            return arrivalIn(sliver.state, {running, frozen, exited}, {failed});
        case OperationKind::setSlice:
            if (!sliver.current) return Arrival::waiting;
            // In what does not run there is nothing to change yet.
            if (isAmong(sliver.state, {exited, stopped})) return Arrival::there;
            if (sliver.stale) return sliver.reason.empty() ? Arrival::waiting : Arrival::failed;
            return arrivalIn(sliver.state, {running, frozen}, {failed});
        case OperationKind::freeze:
            if (!sliver.current) return Arrival::waiting;
            return arrivalIn(sliver.state, {frozen}, {exited, failed});
        case OperationKind::thaw:
            if (!sliver.current) return Arrival::waiting;
            return arrivalIn(sliver.state, {running, exited}, {failed});
        case OperationKind::deleteSlice:
        case OperationKind::moveSliver:
        case OperationKind::drainNode:
        case OperationKind::rebalance:
        case OperationKind::importImage:
            return Arrival::waiting;
    }
    return Arrival::waiting;
}

OperationFailure failureOf(const SliverProgress& sliver) {
    const bool silent = sliver.reason.empty();
    return {sliver.id, sliver.node, silent ? std::string("it has ") + toString(sliver.state) : sliver.reason};
}

// "2 preparing, 1 starting; waiting for node2 (not connected)"
std::string stepOf(const std::vector<const SliverProgress*>& waiting) {
    std::map<SliverState, uint32_t> counts;
    std::map<std::string, std::string> away;
    for (const SliverProgress* sliver : waiting) {
        counts[sliver->state] += 1;
        if (!sliver->node_away.empty()) away[sliver->node] = sliver->node_away;
    }
    std::vector<std::string> parts;
    for (const auto& [state, count] : counts) parts.push_back(fmt::format("{} {}", count, toString(state)));
    std::string text = fmt::format("{}", fmt::join(parts, ", "));
    if (!away.empty()) text += "; waiting for node " + away.begin()->first + " (" + away.begin()->second + ")";
    return text;
}

const char* successOf(OperationKind kind) {
    switch (kind) {
        case OperationKind::createSlice:
            return "all slivers run";
        case OperationKind::setSlice:
            return "the new settings hold";
        case OperationKind::freeze:
            return "all slivers stand still";
        case OperationKind::thaw:
            return "all slivers go on";
        case OperationKind::deleteSlice:
            return "nothing is left";
        case OperationKind::moveSliver:
            return "moved";
        case OperationKind::drainNode:
            return "no sliver is left on the node";
        case OperationKind::replaceSlivers:
            return "all of them run elsewhere";
        case OperationKind::rebalance:
            return "no move would even out the nodes any more";
        case OperationKind::importImage:
            return "stored";
    }
    return "";
}

OperationState outcomeOf(size_t failures, size_t total) {
    if (failures == 0) return OperationState::done;
    return failures < total ? OperationState::partial : OperationState::failed;
}

}  // namespace

Operation newOperation(OperationKind kind, const SliverId& subject, uint32_t total, const std::string& request_id,
                       int64_t now_us) {
    Operation operation;
    operation.id = randomId();
    operation.kind = kind;
    operation.subject = subject;
    operation.total = total;
    operation.request_id = request_id;
    operation.started_us = now_us;
    return operation;
}

bool isWaiting(OperationKind kind, const SliverProgress& sliver) { return arrivalOf(kind, sliver) == Arrival::waiting; }

Operation progressOf(Operation operation, const std::vector<SliverProgress>& slivers, int64_t now_us) {
    operation.done = 0;
    operation.failures.clear();
    std::vector<const SliverProgress*> waiting;
    for (const SliverProgress& sliver : slivers) {
        const Arrival arrival = arrivalOf(operation.kind, sliver);
        if (arrival == Arrival::there) operation.done += 1;
        if (arrival == Arrival::failed) operation.failures.push_back(failureOf(sliver));
        if (arrival == Arrival::waiting) waiting.push_back(&sliver);
    }
    operation.step = stepOf(waiting);
    if (!waiting.empty()) return operation;
    operation.state = outcomeOf(operation.failures.size(), slivers.size());
    operation.step =
        operation.failures.empty() ? successOf(operation.kind) : fmt::format("{} failed", operation.failures.size());
    operation.ended_us = now_us;
    return operation;
}

Operation deletionProgress(Operation operation, uint32_t remaining, const std::set<std::string>& waiting_for,
                           int64_t now_us) {
    operation.done = operation.total - std::min(remaining, operation.total);
    if (remaining == 0) return succeeded(std::move(operation), successOf(operation.kind), now_us);
    operation.step = fmt::format("waiting for {}", fmt::join(waiting_for, ", "));
    return operation;
}

Operation drainProgress(Operation operation, uint32_t remaining, int64_t now_us) {
    operation.total = std::max(operation.total, remaining);
    operation.done = operation.total - remaining;
    if (remaining == 0) return succeeded(std::move(operation), successOf(operation.kind), now_us);
    operation.step =
        fmt::format("{} slivers to move", remaining - std::min<size_t>(remaining, operation.failures.size()));
    if (operation.failures.size() < remaining) return operation;
    operation.state = outcomeOf(operation.failures.size(), operation.total);
    operation.step = fmt::format("{} slivers stay", remaining);
    operation.ended_us = now_us;
    return operation;
}

Operation replacementProgress(Operation operation, const std::vector<SliverProgress>& placed, uint32_t unplaced,
                              int64_t now_us) {
    operation.total = static_cast<uint32_t>(placed.size()) + unplaced;
    if (placed.empty() && unplaced == 0) return succeeded(std::move(operation), "nothing is to be replaced", now_us);
    const std::string waiting_for_room = operation.step;
    operation = progressOf(std::move(operation), placed, now_us);
    if (unplaced == 0) return operation;
    operation.state = OperationState::running;
    operation.ended_us = 0;
    operation.step = waiting_for_room;
    return operation;
}

Operation succeeded(Operation operation, const std::string& step, int64_t now_us) {
    operation.state = OperationState::done;
    operation.done = operation.total;
    operation.step = step;
    operation.ended_us = now_us;
    return operation;
}

Operation failed(Operation operation, const OperationFailure& failure, int64_t now_us) {
    operation.state = OperationState::failed;
    operation.step = failure.reason;
    operation.failures = {failure};
    operation.ended_us = now_us;
    return operation;
}

Operation markCancelled(Operation operation, const std::string& step, int64_t now_us) {
    operation.state = OperationState::cancelled;
    operation.step = step;
    operation.ended_us = now_us;
    return operation;
}

std::vector<std::string> toForget(const std::map<std::string, Operation>& operations) {
    std::vector<const Operation*> ended;
    for (const auto& [id, operation] : operations) {
        if (operation.ended()) ended.push_back(&operation);
    }
    if (ended.size() <= kOperationsKept) return {};
    std::sort(ended.begin(), ended.end(),
              [](const Operation* a, const Operation* b) { return a->ended_us < b->ended_us; });
    std::vector<std::string> ids;
    for (size_t i = 0; i < ended.size() - kOperationsKept; ++i) ids.push_back(ended[i]->id);
    return ids;
}

}  // namespace homeslice::controller
