// One concern of a sliver's isolation: user ids, file system, resources, network, seccomp, devices.
//
// Contract, for all implementations:
//   - a start: prepare() of all isolators in this order; then furnish() of all while the launcher clones; attach() of
//   all;
//     then connect() of all while the child sets itself up; and only then is the command given. cleanup() in reverse
//     order, at the end or after any failure. Any error aborts the start.
//   - every method may be repeated, also after a crash half way through; cleanup() of what was never made is OK.
//   - recover() is called instead of all those for a sliver that noded finds alive after a restart.
//   - what an isolator must remember it puts into SliverRuntime, which is persisted between the steps.
// Threads: different slivers concurrently; one sliver by one thread at a time.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "noded/image/store.h"
#include "noded/launcher/client.h"
#include "noded/sys/netlink.h"
#include "spec/sliver_spec.h"

namespace homeslice::isolation {

// What was made for one sliver on this node. Persisted as JSON by sliver/.
struct SliverRuntime {
    launcher::IdRange ids;         // user isolator
    std::string directory;         // <state>/slivers/web.2: disk/, log/
    std::string socket_directory;  // <run>/slivers/web.2: control.sock
    std::string cgroup;            // group name below every hierarchy's mount
    std::string link_name;         // host end of the veth pair
    sys::MacAddress host_mac{};
    sys::MacAddress sliver_mac{};

    // Where its disk is: a directory, or where a file system of its own is mounted while it is used.
    std::string diskDirectory() const { return directory + "/disk"; }
    std::string upperDirectory() const { return diskDirectory() + "/upper"; }
    std::string workDirectory() const { return diskDirectory() + "/work"; }
    std::string logDirectory() const { return directory + "/log"; }
    std::string controlSocket() const { return socket_directory + "/control.sock"; }
};

// Everything an isolator can see and add to.
struct Start {
    const SliverSpec& spec;
    SliverRuntime& runtime;
    const image::Image& image;
    launcher::CloneRequest& clone;  // filled by prepare()
    launcher::LaunchPlan& plan;     // filled by prepare(), furnish() and attach()
    launcher::Command& command;     // filled by prepare() or adopt()
    std::vector<UniqueFd> spent{};  // by attach(): closed beside connect(), as it takes time
    bool ahead = false;             // for a sliver to come: `spec` has a name and nothing else
};

class Isolator {
public:
    virtual ~Isolator() = default;
    virtual std::string name() const = 0;
    // Before the record of the start and the clone: what the clone needs and what has to be remembered.
    virtual absl::Status prepare(Start& start) = 0;
    // What needs no process, and what no clone needs.
    virtual absl::Status furnish(Start& /*start*/) { return absl::OkStatus(); }
    // What needs the child's namespaces, and what the child needs for its mounts.
    virtual absl::Status attach(Start& start, const launcher::Child& child) = 0;
    // What needs the child's namespaces, and what only the command needs.
    virtual absl::Status connect(Start& /*start*/, const launcher::Child& /*child*/) { return absl::OkStatus(); }
    // In place of all these, for an environment that was made ahead under another name and is to be
    // `start.spec`'s: whatever depends on the spec. `start.runtime` is the environment's. May not be repeated.
    virtual absl::Status adopt(Start& start, const launcher::Child& child) = 0;
    virtual absl::Status recover(const SliverSpec& spec, SliverRuntime& runtime) = 0;
    // While the sliver runs: `spec` has changed in what can be changed then (resources, exposed ports). After an error
    // some of it may hold; the call is repeated.
    virtual absl::Status update(const SliverSpec& /*spec*/, SliverRuntime& /*runtime*/) { return absl::OkStatus(); }
    // The process is gone. Keeps the disk.
    virtual absl::Status cleanup(const SliverSpec& spec, SliverRuntime& runtime) = 0;
    // After cleanup(), when the sliver goes for good: its disk and id range too.
    virtual absl::Status destroy(const SliverSpec& spec, SliverRuntime& runtime) = 0;
};

}  // namespace homeslice::isolation
