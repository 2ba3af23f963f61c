// The other runtimes, each as its users run it: one command that creates, starts and waits.
//
// Equal isolation, as far as each can: user, mount, pid, net, uts, ipc and cgroup namespaces, the slivers' seccomp
// profile and capabilities, the same limits of memory, CPU and processes, the same root file system, read-only, and the
// same hidden paths. None of them makes a link or an address.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "rootfs.h"

namespace homeslice::bench {

// The compiled seccomp profile, below the peers' directory, and the descriptor that bubblewrap expects it at.
inline const std::string kFilterFile = "filter.bpf";
inline constexpr int kFilterFd = 9;

inline constexpr uint32_t kPeerSlots = 8;  // how many containers of one peer there may be at a time

enum class Payload { brief, lasting };  // kShortCommand, kLongCommand

struct Peer {
    std::string name;
    bool reference = false;  // no container: what the kernel takes for part of one
    std::string lacks;       // of the isolation above, for the table; may be empty
    // Command lines by payload and slot.
    std::vector<std::vector<std::string>> brief;
    std::vector<std::vector<std::string>> lasting;

    const std::vector<std::string>& command(Payload payload, uint32_t slot) const {
        return payload == Payload::brief ? brief[slot] : lasting[slot];
    }
};

inline const std::vector<std::string> kPeerNames = {"crun", "runc", "lxc-execute", "bubblewrap"};
inline const std::string kSpawn = "fork and exec";          // the command, as a plain process
inline const std::string kNamespaces = "seven namespaces";  // the command in new namespaces: unshare(1), nothing else

// The references, and those of kPeerNames that are installed, with their configurations written below `directory`.
absl::StatusOr<std::vector<Peer>> preparePeers(const std::string& directory, const Rootfs& rootfs);

}  // namespace homeslice::bench
