// The table of names on the wire. As convert.h: what comes in is checked in full.
#pragma once

#include <absl/status/statusor.h>

#include "homeslice/v1/node.pb.h"
#include "spec/slice_names.h"

namespace homeslice::wire {

absl::StatusOr<NameTable> nameTableOf(const v1::NameTable& message);
v1::NameTable toMessage(const NameTable& table);

}  // namespace homeslice::wire
