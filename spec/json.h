// The spec's values as JSON text, for stores. Parsing gives INVALID_ARGUMENT on what these functions did not write; a
// field that an earlier version did not know has its default.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "spec/sliver_spec.h"

namespace homeslice {

std::string toJson(const SliverTemplate& base);
absl::StatusOr<SliverTemplate> parseSliverTemplate(const std::string& json);

std::string toJson(const SliverSpec& spec);
absl::StatusOr<SliverSpec> parseSliverSpec(const std::string& json);

}  // namespace homeslice
