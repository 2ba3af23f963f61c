// A small process that runs the peers. Small, because starting a process takes longer the more memory the parent has;
// apart, because crun and lxc-execute take a hybrid host for one with cgroup v2: it lives in a mount namespace that
// shows the v1 hierarchies alone.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "peers.h"

namespace homeslice::bench {

class Runner {
public:
    // Before the caller has threads. `directory` as for preparePeers().
    static absl::StatusOr<std::unique_ptr<Runner>> start(std::vector<Peer> peers, const std::string& directory);
    ~Runner();

    const std::vector<Peer>& peers() const { return peers_; }

    // Seconds for `count` containers that run the brief command, `parallel` at a time.
    absl::StatusOr<double> run(size_t peer, uint32_t count, uint32_t parallel);
    // Bytes of one container's processes but the payload, while `count` run.
    absl::StatusOr<double> memory(size_t peer, uint32_t count);

private:
    Runner(std::vector<Peer> peers, std::string filter) : peers_(std::move(peers)), filter_(std::move(filter)) {}

    struct Request {
        enum Kind : uint32_t { run, memory } kind;
        uint32_t peer;
        uint32_t count;
        uint32_t parallel;
    };
    struct Reply {
        uint32_t failures;
        double value;
    };
    [[noreturn]] void serve();
    Reply answer(const Request& request);
    Reply runMany(const Peer& peer, uint32_t count, uint32_t parallel);
    Reply measureMemory(const Peer& peer, uint32_t count);
    absl::StatusOr<double> ask(const Request& request);

    const std::vector<Peer> peers_;
    const std::string filter_;  // file of the compiled seccomp profile
    UniqueFd socket_;
    pid_t process_ = 0;
};

}  // namespace homeslice::bench
