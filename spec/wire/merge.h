// What the controller tells a node as changes of what it told before: the whole that they make, and several of them in
// one. For the node, and for the controller while a node is slow to read.
#pragma once

#include <absl/status/status.h>

#include "homeslice/v1/node.pb.h"

namespace homeslice::wire {

// `base` with `change` made: as if `base` had said it all. A `change` that is whole replaces it; a `base` that is a
// change itself stays one, from where it began.
void merge(v1::DesiredState& base, v1::DesiredState change);
void merge(v1::NameTable& base, v1::NameTable change);

// For the node: takes what the lists of a whole state say into its `nodes`. INVALID_ARGUMENT when one is no NodeList:
// the nodes are as the ones before it say then.
absl::Status foldNodeLists(v1::DesiredState& whole);

}  // namespace homeslice::wire
