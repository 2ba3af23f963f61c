// noded's side of the launcher, the small helper process that clones slivers (see docs/design/starting-a-sliver.md).
//
// The launcher is a separate static program: cloning from it costs a fraction of cloning from noded. It is the parent
// of every sliver's PID 1 and outlives noded: it listens on a socket below the runtime directory, a noded that starts
// again connects to the one that runs. It ends by itself when no noded is connected and no sliver is left.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "noded/sys/process.h"

namespace homeslice::launcher {

// Ids map [0, count) of the sliver to [first, first + count) of the host.
struct IdRange {
    uint32_t first = 0;
    uint32_t count = 0;
};

struct CloneRequest {
    std::string key;  // "web/2", for messages
    IdRange ids;
    // cgroup v1 directories that the launcher's thread enters before clone3 and leaves after (facts: no RCU wait), and
    // on v2 the one directory for CLONE_INTO_CGROUP. Absolute paths below a cgroup mount.
    std::vector<std::string> cgroup_v1_directories;
    std::string cgroup_v2_directory;  // empty: none
};

// A cloned child in its new user, mount, pid, net, uts and ipc namespaces, its id maps written, waiting for park().
// Destroying it before assign() ends the child.
struct Child {
    sys::ProcessIdentity identity;
    UniqueFd pidfd;
    UniqueFd user_namespace;
    UniqueFd network_namespace;
    UniqueFd setup;  // socket to the waiting child; once it is launched, nothing but its end comes from there:
                     // sliver-init is ending, and the kernel takes its namespaces down, after which the pidfd tells too
};

// A detached mount for a directory of the sliver's.
struct VolumeMount {
    std::string target;  // absolute, inside; made when it is not there
    UniqueFd mount;
};

// What the child does to itself, in the order of launcher/child.cpp.
struct LaunchPlan {
    std::string hostname;
    std::vector<std::string> masked_paths;     // covered by /dev/null or an empty read-only tmpfs
    std::vector<std::string> read_only_paths;  // bind-remounted read-only
    uint64_t kept_capabilities = 0;            // bit set of capabilities(7); all others leave every set (sliver-init
                                               // needs CAP_KILL, and CAP_SETUID and CAP_SETGID unless uid = gid = 0)
    std::string seccomp_program;               // raw struct sock_filter[]
    std::vector<VolumeMount> volumes;          // at most 32; in this order, below the masked and read-only paths
    UniqueFd root_mount;                       // detached mount that becomes /
    UniqueFd control_socket;                   // listening SOCK_SEQPACKET socket, for init/client.h
    UniqueFd log_directory;  // O_PATH|O_DIRECTORY: sliver-init keeps its log there (init/log_format.h)
    UniqueFd init_program;   // the sliver-init executable, O_PATH, mode 0711 and host-root-owned: not readable inside
};

// What the sliver runs.
struct Command {
    std::vector<std::string> argv;  // empty: idle
    std::vector<std::string> env;
    std::string working_directory;  // inside
    uint32_t uid = 0;               // inside
    uint32_t gid = 0;
    std::string user;        // "name|uid[:group|gid]", looked up inside by sliver-init; empty: uid and gid
    uint64_t log_bytes = 0;  // of each log file before the next is begun; 0: the default of init/log_format.h
    uint32_t log_files = 0;  // log files that are kept; 0: the same
};

// Done by the caller while others work for it.
using Meanwhile = std::function<void()>;

class Launcher {
public:
    // Connects to the launcher behind `socket_path`, or starts `program` when none answers; the connection of another
    // client ends. A started launcher stays in the caller's cgroups. `on_exit` is called from a thread of the client's
    // (not one that clone() waits for) with every sliver that ended, wait status as of waitpid(2); also for those that
    // ended while no noded was connected. A status is forgotten when `on_exit` has returned. The thread ends with the
    // object.
    static absl::StatusOr<std::unique_ptr<Launcher>> connect(
        const std::string& program, const std::string& socket_path,
        std::function<void(const sys::ProcessIdentity&, int wait_status)> on_exit);
    virtual ~Launcher() = default;

    // Threads: any. The launcher works through requests one by one (a clone takes about a millisecond). `meanwhile`
    // runs between the request and its answer, unless there was nobody to ask. UNAVAILABLE when the launcher went away
    // meanwhile: the next call starts one. The slivers of a launcher that died live on, their wait statuses are lost.
    virtual absl::StatusOr<Child> clone(const CloneRequest& request, const Meanwhile& meanwhile = nullptr) = 0;
};

// Hands the plan to the waiting child and waits until sliver-init, isolated, waits for its command; `meanwhile` runs
// while the child sets itself up. On failure the error names the step that failed inside the child and its errno; the
// child is dead then. `plan`'s descriptors are closed on return. INVALID_ARGUMENT when something in the plan is missing
// (a seccomp program too), FAILED_PRECONDITION when the init_program could be read inside; `meanwhile` has not run
// then. The log directory must be writable for the sliver's root, the filter must allow execveat and what sliver-init
// and spawned commands do before exec.
absl::Status park(Child& child, LaunchPlan plan, const Meanwhile& meanwhile = nullptr);
// Gives a parked child its command and waits until sliver-init says Ready: the command has been started then (whether
// it could be executed, its exit status tells: 126, 127). Fails as park() does.
absl::Status assign(Child& child, const Command& command);

}  // namespace homeslice::launcher
