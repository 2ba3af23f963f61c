#include "controller/operations/operations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/names.h"

namespace homeslice::controller {
namespace {

bool arrived(SliverState state) { return state == SliverState::running || state == SliverState::exited; }

// "2 preparing, 1 starting; waiting for node2 (not connected)"
std::string creationStep(const std::vector<SliverProgress>& slivers) {
    std::map<SliverState, uint32_t> counts;
    std::map<std::string, std::string> away;
    for (const SliverProgress& sliver : slivers) {
        if (arrived(sliver.state) || sliver.state == SliverState::failed) continue;
        counts[sliver.state] += 1;
        if (!sliver.node_away.empty()) away[sliver.node] = sliver.node_away;
    }
    std::vector<std::string> parts;
    for (const auto& [state, count] : counts) parts.push_back(fmt::format("{} {}", count, toString(state)));
    std::string text = fmt::format("{}", fmt::join(parts, ", "));
    if (!away.empty()) text += "; waiting for node " + away.begin()->first + " (" + away.begin()->second + ")";
    return text;
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

Operation creationProgress(Operation operation, const std::vector<SliverProgress>& slivers, int64_t now_us) {
    operation.done = 0;
    operation.failures.clear();
    for (const SliverProgress& sliver : slivers) {
        if (arrived(sliver.state)) operation.done += 1;
        if (sliver.state == SliverState::failed) operation.failures.push_back({sliver.id, sliver.node, sliver.reason});
    }
    operation.step = creationStep(slivers);
    if (operation.done + operation.failures.size() < slivers.size()) return operation;
    operation.state = outcomeOf(operation.failures.size(), slivers.size());
    operation.step =
        operation.failures.empty() ? "all slivers run" : fmt::format("{} failed", operation.failures.size());
    operation.ended_us = now_us;
    return operation;
}

Operation deletionProgress(Operation operation, uint32_t remaining, const std::set<std::string>& waiting_for,
                           int64_t now_us) {
    operation.done = operation.total - std::min(remaining, operation.total);
    if (remaining == 0) return succeeded(std::move(operation), "nothing is left", now_us);
    operation.step = fmt::format("waiting for {}", fmt::join(waiting_for, ", "));
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
