// What commands answer with, before it becomes a table, JSON or YAML: one tree feeds all formats.
//
// Field names are snake_case and stable. Addresses are text, times are RFC 3339 in UTC (null when there is none),
// sizes are bytes, durations carry their unit in the name. Lists are arrays.
#pragma once

#include <nlohmann/json.hpp>

namespace homeslice::ctl {

using Value = nlohmann::ordered_json;

}  // namespace homeslice::ctl
