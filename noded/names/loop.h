// Waits for descriptors by epoll(7) and calls who is interested. Threads: one, save for wake().
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

#include "base/unique_fd.h"

namespace homeslice::names {

class Loop {
public:
    using Callback = std::function<void(uint32_t events)>;  // EPOLLIN and so on

    static absl::StatusOr<Loop> open();

    // Calls `callback` when `fd` has one of `events`, until remove(); again with others: replaces them.
    absl::Status watch(int fd, uint32_t events, Callback callback);
    void remove(int fd);
    // Waits for `timeout` at most, and calls back.
    void runOnce(std::chrono::milliseconds timeout);
    // Ends the wait of runOnce(). From any thread.
    void wake() const;

private:
    Loop(UniqueFd epoll, UniqueFd event) : epoll_(std::move(epoll)), event_(std::move(event)) {}

    UniqueFd epoll_;
    UniqueFd event_;
    std::map<int, Callback> callbacks_;
};

}  // namespace homeslice::names
