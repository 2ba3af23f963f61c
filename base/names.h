// What users may call things. One rule for the controller, the nodes and the command line.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace homeslice {

// Names of nodes, slices and images are DNS labels (RFC 1123): 1 to 40 of [a-z0-9-], no hyphen at either end.
// (40, so that INDEX.SLICE and names derived from it still fit their places.) INVALID_ARGUMENT says what is wrong;
// `what` names the thing in the message ("slice name").
absl::Status checkName(const std::string& what, const std::string& name);

// A random 128-bit identifier as 32 lower-case hex digits (request and operation ids).
std::string randomId();

}  // namespace homeslice
