// Names of capabilities(7) and sets of them as bits, capability number N in bit N.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace homeslice::sys {

// {"CAP_CHOWN", "net_bind_service"}: any case, with or without "CAP_". INVALID_ARGUMENT names the one that is unknown.
absl::StatusOr<uint64_t> parseCapabilities(const std::vector<std::string>& names);
// "CAP_CHOWN" and so on, by number; an unnamed bit N is "CAP_N".
std::vector<std::string> capabilityNames(uint64_t capabilities);

}  // namespace homeslice::sys
