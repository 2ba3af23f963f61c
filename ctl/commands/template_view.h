// What the slivers of a slice are to be, as a value tree and as lines for people.
#pragma once

#include <homeslice/v1/types.pb.h>

#include <vector>

#include "ctl/output/printer.h"
#include "ctl/output/value.h"

namespace homeslice::ctl {

// Image, command, limits, policies: the fields of `base` side by side. Contents of files are left out.
Value templateValue(const v1::SliverTemplate& base);

// Lines for what templateValue() says; those of which there is nothing to say are not shown.
const std::vector<Column>& templateDetails();

}  // namespace homeslice::ctl
