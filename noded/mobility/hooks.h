// Where programs hang on a link: tcx (Linux 6.6), which calls them without a classifier between, or clsact on kernels
// without it. On either a program stays until it is detached or the link goes. Threads: any.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace homeslice::mobility {

enum class Hook { ingress, egress };

// Takes the place of an earlier program of the same name in one step.
absl::Status attachProgram(int link, Hook hook, int program);
// Those of this name. Fine when there is none, or no link.
absl::Status detachProgram(int link, Hook hook, const std::string& name);

}  // namespace homeslice::mobility
