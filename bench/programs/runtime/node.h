// A real noded in a network namespace of its own, joined by a veth pair to this process's, and a controller for it.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "controller.h"

namespace homeslice::bench {

struct NodeConfig {
    std::string name;
    uint32_t number = 1;    // distinct for each node: addresses, links, ids
    uint32_t pool = 0;      // prepared environments
    std::string programs;   // directory of noded
    std::string directory;  // for its state
};

class Node {
public:
    static absl::StatusOr<std::unique_ptr<Node>> start(const NodeConfig& config, const Rootfs& rootfs);
    // Kills noded and everything that it started, and removes its groups.
    ~Node();

    // Each returns seconds.
    // One sliver from the request to the report of its end; all of it is gone and the pool is full again on return.
    absl::StatusOr<double> runOne();
    // `count` slivers, `parallel` at a time, until the last one is gone.
    absl::StatusOr<double> runMany(uint32_t count, uint32_t parallel);
    // `count` slivers that stay, until all are reported running.
    absl::StatusOr<double> holdMany(uint32_t count);
    absl::Status removeAll();

    // Bytes of noded, its launcher and each sliver's PID 1. The slivers' commands do not count.
    double memory() const;

private:
    explicit Node(const NodeConfig& config, const Rootfs& rootfs);
    absl::Status connectNetwork();
    absl::Status prepareCredentials();
    absl::Status startNoded();
    absl::Status awaitEnd(uint32_t index);
    absl::Status awaitPool();
    void killAll();

    const NodeConfig config_;
    UniqueFd network_;
    std::shared_ptr<tls::Credentials> credentials_;  // the controller's
    int controller_port_ = 0;
    pid_t noded_ = 0;
    uint32_t next_ = 1;
    Controller controller_;
};

// The group above everything that the benchmark makes.
inline const std::string kCgroup = "homeslice-bench";

}  // namespace homeslice::bench
