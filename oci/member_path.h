// Names of archive members, made safe to use below a directory.
#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace homeslice::oci {

// `raw` (null: none given) relative and without "." or empty components; "" is the root itself. INVALID_ARGUMENT when
// it is absolute, has a ".." component, or is longer or deeper than limits.h allows.
absl::StatusOr<std::string> memberPath(const char* raw);

// "a/b/c" -> "a/b" and "c"; "c" -> "" and "c".
std::string parentOf(const std::string& path);
std::string baseOf(const std::string& path);

}  // namespace homeslice::oci
