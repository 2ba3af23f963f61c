// Brings images from the controller and disks from other nodes. Blocking; threads: any, many at once.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <memory>
#include <string>

#include "leader/controllers.h"
#include "pki/tls/credentials.h"
#include "spec/sliver_spec.h"

namespace homeslice::api {

class Fetcher {
public:
    // `controller`: "host:port" or another gRPC target. A transfer during which nothing arrives for `patience` fails
    // with DEADLINE_EXCEEDED.
    static std::unique_ptr<Fetcher> create(std::shared_ptr<leader::Controllers> controllers,
                                           std::shared_ptr<tls::Credentials> credentials,
                                           std::chrono::milliseconds patience = std::chrono::seconds(20));
    virtual ~Fetcher() = default;

    // Both write into `fd` (blocking descriptor; not closed). The server's error when it has one, ABORTED after stop().
    virtual absl::Status fetchImage(const std::string& digest, int fd) = 0;
    // From a node behind a NAT it comes through the controller.
    virtual absl::Status fetchDisk(const SliverId& id, const DiskSource& source, int fd) = 0;

    // Ends all transfers, and every later one at once. Any thread.
    virtual void stop() = 0;
};

}  // namespace homeslice::api
