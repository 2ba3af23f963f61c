// What noded asks of the machine before it begins.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "base/ipv6.h"
#include "base/unique_fd.h"

namespace homeslice {

// The first IPv6 address of the link that is neither link-local, loopback nor multicast; else such an IPv4 address
// (base/ipv4.h). NOT_FOUND when there is none.
absl::StatusOr<Ipv6Address> firstGlobalAddress(const std::string& link);

// A lock that lasts as long as the descriptor: FAILED_PRECONDITION when another process holds the directory's.
absl::StatusOr<UniqueFd> lockDirectory(const std::string& directory);

// Mounts a bpffs at `path` unless one is there. Creates the directory.
absl::Status ensureBpffs(const std::string& path);

// RLIMIT_NOFILE: soft limit up to the hard one. Every exec takes half a dozen descriptors.
absl::Status raiseDescriptorLimit();

// Directory of the running executable, for its companions.
absl::StatusOr<std::string> executableDirectory();

struct HostFacts {
    uint32_t cpus = 0;          // online
    uint64_t memory_bytes = 0;  // of the machine
    std::string kernel;         // uname -r
    std::string boot_id;
};
absl::StatusOr<HostFacts> hostFacts();

}  // namespace homeslice
