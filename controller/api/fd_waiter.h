// One thread that waits for descriptors (epoll) and runs what was to be run then. Threads: any.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/unique_fd.h"

namespace homeslice::controller {

class FdWaiter {
public:
    using Ready = std::function<void()>;

    static absl::StatusOr<std::unique_ptr<FdWaiter>> start();
    // What was not ready by then is forgotten.
    ~FdWaiter();

    // Runs `ready` once on the thread, when `fd` has one of `events` (EPOLLIN, EPOLLOUT), an error or a hang-up.
    void waitOnce(int fd, uint32_t events, Ready ready);
    // Before `fd` is closed. What has begun to run may still run.
    void forget(int fd);

private:
    FdWaiter(UniqueFd epoll, UniqueFd stop);
    void run();

    const UniqueFd epoll_;
    const UniqueFd stop_;  // eventfd
    std::mutex mutex_;
    std::unordered_map<int, Ready> waiting_;  // empty function: known to epoll, not waited for
    std::thread thread_;
};

}  // namespace homeslice::controller
