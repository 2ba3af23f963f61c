// Namespaces by descriptor.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace homeslice::sys {

// /proc/PID/ns/KIND ("net", "user", "mnt", "pid", "uts", "ipc", "cgroup"). NOT_FOUND when the process has ended.
absl::StatusOr<UniqueFd> openNamespace(pid_t pid, const std::string& kind);

// Which namespace it is: equal numbers (device and inode) are equal namespaces.
struct NamespaceId {
    uint64_t device = 0;
    uint64_t inode = 0;
    bool operator==(const NamespaceId&) const = default;
};
absl::StatusOr<NamespaceId> namespaceId(int namespace_fd);

// The calling thread is in another network namespace until this goes. Ends the program when the thread cannot return:
// going on in a wrong namespace would be worse. Stays on the thread that made it.
class NetworkNamespaceScope {
public:
    static absl::StatusOr<NetworkNamespaceScope> enter(int namespace_fd);
    NetworkNamespaceScope(NetworkNamespaceScope&&) noexcept = default;
    NetworkNamespaceScope& operator=(NetworkNamespaceScope&&) = delete;
    ~NetworkNamespaceScope();

private:
    explicit NetworkNamespaceScope(UniqueFd home) : home_(std::move(home)) {}
    UniqueFd home_;
};

// A new user namespace that maps [0, count) to [first, first + count) of this one, without a process in it: what an
// idmapped mount is made from (mount.h).
absl::StatusOr<UniqueFd> makeUserNamespace(uint32_t first, uint32_t count);

}  // namespace homeslice::sys
