// Threads for what can only block (a command's wait(), an export into a pipe): one per task while it runs, up to a
// limit.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

namespace homeslice::api {

class Workers {
public:
    explicit Workers(size_t limit) : limit_(limit) {}
    // Waits for all tasks.
    ~Workers();

    // Runs `task` in a thread of its own; false when `limit` tasks run already, or the system has no thread left.
    [[nodiscard]] bool tryRun(std::function<void()> task);

private:
    void finished();

    const size_t limit_;
    std::mutex mutex_;
    std::condition_variable idle_;
    size_t running_ = 0;
};

}  // namespace homeslice::api
