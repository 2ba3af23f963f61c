// The cold move of a sliver, as a table of phases and pure functions over the sliver's row. See
// docs/design/controller.md.
//
// The row holds everything: a controller that is killed in any phase reads it and goes on. Nothing here talks to a
// node; roleOn() says what each node should hold, decide() looks at what the nodes say.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>

#include "controller/model/model.h"

namespace homeslice::controller {

// What a node should hold of a sliver.
struct Role {
    uint64_t generation = 0;
    DesiredRun run = DesiredRun::running;
    bool takes_disk = false;  // from the move's source, before the first start
};
// Nothing: the node should hold nothing of it.
std::optional<Role> roleOn(const Sliver& sliver, const std::string& node);

// The row with a move begun. `sliver` must not be moving.
Sliver beginMove(Sliver sliver, const std::string& target, const std::string& operation);

// What the nodes of a moving sliver say. A report counts only if the node made it after it had taken in what the
// present phase asks of it, with the generation of that role; else it is null.
struct MoveFacts {
    bool source_lost = false;  // silent for so long that the move should not wait for it
    bool target_lost = false;
    const SliverReport* source = nullptr;
    const SliverReport* target = nullptr;
};

enum class MoveVerdict { wait, advance, complete, rollBack };
struct MoveDecision {
    MoveVerdict verdict = MoveVerdict::wait;
    std::string reason;  // with rollBack
};
MoveDecision decide(const Sliver& sliver, const MoveFacts& facts);

// The row after each verdict. advance() into transferring makes the target the sliver's node, under a new generation.
Sliver advance(Sliver sliver);
Sliver complete(Sliver sliver);
// The sliver goes on at the source: untouched if it was never told to stop, else under a generation above the target's.
Sliver rollBack(Sliver sliver);

// The row with the sliver placed on `node`, which must hold nothing of it, under a new generation: what it left
// elsewhere is out of reach, and fenced. `sliver` must not be moving.
Sliver placeAnew(Sliver sliver, const std::string& node, const std::string& operation);

// What happens now, for a person: "node2 fetches the image".
std::string stepText(const Sliver& sliver);

// The phase's name in the store.
const char* toString(MovePhase phase);
absl::StatusOr<MovePhase> parseMovePhase(const std::string& text);

}  // namespace homeslice::controller
