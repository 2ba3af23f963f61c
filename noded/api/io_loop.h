// One thread that waits for descriptors (epoll) and runs what is posted to it. The calls of NodeService live on it:
// each is a state machine that only this thread touches, so that thousands of them need neither locks nor threads.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.h"

namespace homeslice::api {

class IoLoop {
public:
    static absl::StatusOr<std::unique_ptr<IoLoop>> start();
    // Runs what has been posted, then ends the thread. Never from the loop's own thread.
    ~IoLoop();

    // Runs `task` on the loop's thread, in the order of posting. Any thread.
    void post(std::function<void()> task);

    // Calls `ready` once when `fd` has one of `events` (EPOLLIN, EPOLLOUT), an error or a hang-up; replaces an earlier
    // wait. Loop thread only. Spurious calls happen: use non-blocking descriptors.
    void waitOnce(int fd, uint32_t events, std::function<void()> ready);
    // Before closing a descriptor that was waited for; its callback is not called any more. Loop thread only.
    void forget(int fd);

private:
    IoLoop(UniqueFd epoll, UniqueFd wake);
    void run();
    void runPosted();
    void dispatch(int fd);

    UniqueFd epoll_;
    UniqueFd wake_;  // eventfd
    std::mutex mutex_;
    std::vector<std::function<void()>> posted_;
    bool stopping_ = false;
    std::unordered_map<int, std::function<void()>> waiting_;  // empty function: registered, but not waited for
    std::thread thread_;
};

}  // namespace homeslice::api
