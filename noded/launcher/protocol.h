// What noded, the launcher and a starting child say to each other, over AF_UNIX SOCK_SEQPACKET sockets in host byte
// order: all ends are on one machine. A launcher may be of an older build than the noded that finds it: kVersion tells.
//
// noded <-> launcher
//   < hello                       first thing on a connection; a new connection ends the one before
//   > clone                       answered in their order
//   < cloned + 4 descriptors      pidfd, user namespace, network namespace, setup socket; or an error without any
//   < ended                       a sliver ended; the next one comes after
//   > taken                       which the launcher forgets then
// noded <-> child, on the setup socket
//   > plan + 5 descriptors        file with the plan, root mount, control socket, log directory, sliver-init's
//                                 executable; and one for each volume
//   < init/setup_report.h, from sliver-init or of what failed
//   > init/assignment.h           answered by another report
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace homeslice::launcher {

inline constexpr uint32_t kVersion = 4;
inline constexpr int kListeningFd = 3;  // how the launcher is started: the socket to listen on

enum class Kind : uint32_t { hello = 1, clone, cloned, ended, taken, plan };

struct Hello {
    Kind kind = Kind::hello;
    uint32_t version = kVersion;
};
static_assert(sizeof(Hello) == 8);

inline constexpr size_t kMaxCloneMessage = 16 << 10;
inline constexpr size_t kMaxV1Directories = 16;

// Followed by strings (sys/packed_strings.h): the v2 directory, which may be empty, and the v1 directories.
struct CloneMessage {
    Kind kind = Kind::clone;
    uint32_t first_id = 0;
    uint32_t id_count = 0;
    uint32_t v1_directory_count = 0;
};
static_assert(sizeof(CloneMessage) == 16);

inline constexpr size_t kClonedFds = 4;

struct ClonedMessage {
    Kind kind = Kind::cloned;
    int32_t error = 0;  // errno of the step that failed; 0: the child waits
    int32_t pid = 0;
    uint32_t reserved = 0;
    uint64_t start_time = 0;  // proc(5) stat field 22
    char step[232] = {};
};
static_assert(sizeof(ClonedMessage) == 256);

struct EndedMessage {
    Kind kind = Kind::ended;
    int32_t pid = 0;
    uint64_t start_time = 0;
    int32_t wait_status = 0;
    uint32_t reserved = 0;
};
static_assert(sizeof(EndedMessage) == 24);

struct TakenMessage {
    Kind kind = Kind::taken;
    int32_t pid = 0;
    uint64_t start_time = 0;
};
static_assert(sizeof(TakenMessage) == 16);

// Each longer than anything that comes from the other side.
inline constexpr size_t kMaxMessageToNoded = sizeof(ClonedMessage);

inline constexpr size_t kPlanFds = 5;
inline constexpr size_t kMaxPlanVolumes = 32;
inline constexpr size_t kMaxPlanSize = 1 << 20;
inline constexpr uint32_t kMaxPlanStrings = 16384;
inline constexpr size_t kMaxSeccompProgram = size_t{4096} * 8;  // BPF_MAXINSNS

struct PlanMessage {
    Kind kind = Kind::plan;
    uint32_t size = 0;  // of the file
};
static_assert(sizeof(PlanMessage) == 8);

// How the plan's file begins. Then the seccomp program; then strings: host name, masked paths, read-only paths,
// volumes' targets. The command comes later, to sliver-init (init/assignment.h).
struct PlanHeader {
    uint64_t kept_capabilities = 0;
    uint32_t seccomp_size = 0;
    uint32_t masked_count = 0;
    uint32_t read_only_count = 0;
    uint32_t volume_count = 0;
};
static_assert(sizeof(PlanHeader) == 24);

static_assert(std::is_trivially_copyable_v<ClonedMessage> && std::is_trivially_copyable_v<PlanHeader>);

}  // namespace homeslice::launcher
