#include "controller/moves/move.h"

#include <array>

#include "base/status.h"

namespace homeslice::controller {
namespace {

// One row a phase: what each side should do meanwhile, and which phase comes next.
struct PhaseRow {
    MovePhase phase;
    const char* name;
    std::optional<DesiredRun> source;
    std::optional<DesiredRun> target;
    MovePhase next;
};

const std::array<PhaseRow, 5> kPhases{{
    {MovePhase::none, "none", std::nullopt, std::nullopt, MovePhase::none},
    {MovePhase::clearing, "clearing", DesiredRun::running, std::nullopt, MovePhase::preparing},
    {MovePhase::preparing, "preparing", DesiredRun::running, DesiredRun::prepared, MovePhase::stopping},
    {MovePhase::stopping, "stopping", DesiredRun::stopped, DesiredRun::prepared, MovePhase::transferring},
    {MovePhase::transferring, "transferring", DesiredRun::stopped, DesiredRun::running, MovePhase::none},
}};

const PhaseRow& rowOf(MovePhase phase) {
    for (const PhaseRow& row : kPhases) {
        if (row.phase == phase) return row;
    }
    return kPhases.front();
}

MoveDecision rollBackBecause(const std::string& reason) { return {MoveVerdict::rollBack, reason}; }

std::string failureOf(const Move& move, const SliverReport& report) {
    return "node " + move.target + ": " + (report.reason.empty() ? "failed without a reason" : report.reason);
}

bool nothingRuns(const SliverReport& report) {
    return report.state == SliverState::stopped || report.state == SliverState::exited ||
           report.state == SliverState::failed;
}

bool hasStarted(const SliverReport& report) {
    return report.state == SliverState::running || report.state == SliverState::exited;
}

bool mayAdvance(const Sliver& sliver, const MoveFacts& facts) {
    switch (sliver.move.phase) {
        case MovePhase::clearing:
            return sliver.holders.count(sliver.move.target) == 0;
        case MovePhase::preparing:
            return facts.target != nullptr && facts.target->image_ready;
        case MovePhase::stopping:
            return facts.source != nullptr && nothingRuns(*facts.source);
        case MovePhase::none:
        case MovePhase::transferring:
            return false;
    }
    return false;
}

}  // namespace

std::optional<Role> roleOn(const Sliver& sliver, const std::string& node) {
    const Move& move = sliver.move;
    if (!sliver.moving()) {
        if (node == sliver.node) {
            return Role{sliver.generation, sliver.frozen ? DesiredRun::frozen : DesiredRun::running, false};
        }
        return std::nullopt;
    }
    const PhaseRow& row = rowOf(move.phase);
    if (node == move.source && row.source) return Role{move.source_generation, *row.source, false};
    if (node == move.target && row.target) {
        return Role{move.target_generation, *row.target, *row.target == DesiredRun::running};
    }
    return std::nullopt;
}

Sliver beginMove(Sliver sliver, const std::string& target, const std::string& operation) {
    sliver.last_generation += 1;
    sliver.move = Move{.phase = MovePhase::clearing,
                       .source = sliver.node,
                       .target = target,
                       .source_generation = sliver.generation,
                       .target_generation = sliver.last_generation,
                       .operation = operation};
    // Remains of an earlier stay must go first, or the target would take them for the disk that it is to fetch.
    const bool clear = sliver.holders.count(target) == 0;
    return clear ? advance(std::move(sliver)) : sliver;
}

MoveDecision decide(const Sliver& sliver, const MoveFacts& facts) {
    const Move& move = sliver.move;
    if (!sliver.moving()) return {};
    const bool transferring = move.phase == MovePhase::transferring;
    if (transferring && facts.target != nullptr && hasStarted(*facts.target)) return {MoveVerdict::complete, ""};
    if (facts.target != nullptr && facts.target->state == SliverState::failed) {
        return rollBackBecause(failureOf(move, *facts.target));
    }
    if (facts.target_lost) return rollBackBecause("node " + move.target + " is away");
    // Once the disk is on its way the target may have all of it: it decides.
    if (facts.source_lost && !transferring) return rollBackBecause("node " + move.source + " is away");
    return {mayAdvance(sliver, facts) ? MoveVerdict::advance : MoveVerdict::wait, ""};
}

Sliver advance(Sliver sliver) {
    sliver.move.phase = rowOf(sliver.move.phase).next;
    if (sliver.move.phase == MovePhase::preparing) sliver.holders.insert(sliver.move.target);
    if (sliver.move.phase == MovePhase::transferring) {
        sliver.node = sliver.move.target;
        sliver.generation = sliver.move.target_generation;
    }
    return sliver;
}

Sliver complete(Sliver sliver) {
    sliver.move = Move();
    return sliver;
}

Sliver rollBack(Sliver sliver) {
    const bool told_to_stop = rowOf(sliver.move.phase).source == DesiredRun::stopped;
    sliver.node = sliver.move.source;
    if (told_to_stop) {
        sliver.last_generation += 1;
        sliver.generation = sliver.last_generation;
    }
    sliver.move = Move();
    return sliver;
}

Sliver placeAnew(Sliver sliver, const std::string& node, const std::string& operation) {
    sliver.last_generation += 1;
    sliver.generation = sliver.last_generation;
    sliver.node = node;
    sliver.holders.insert(node);
    sliver.placed_by = operation;
    return sliver;
}

std::string stepText(const Sliver& sliver) {
    const Move& move = sliver.move;
    switch (move.phase) {
        case MovePhase::none:
            return "";
        case MovePhase::clearing:
            return "node " + move.target + " removes what an earlier stay left there";
        case MovePhase::preparing:
            return "node " + move.target + " fetches the image";
        case MovePhase::stopping:
            return "stops on node " + move.source;
        case MovePhase::transferring:
            return "node " + move.target + " takes the disk from node " + move.source;
    }
    return "";
}

const char* toString(MovePhase phase) { return rowOf(phase).name; }

absl::StatusOr<MovePhase> parseMovePhase(const std::string& text) {
    for (const PhaseRow& row : kPhases) {
        if (text == row.name) return row.phase;
    }
    return dataLoss("'" + text + "' is not a phase of a move");
}

}  // namespace homeslice::controller
