// "Something has changed": from any number of threads to one that reports it. Raising twice before it looks is once.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace homeslice::api {

class ChangeSignal {
public:
    void raise() {
        const std::lock_guard lock(mutex_);
        ++count_;
        changed_.notify_all();
    }
    // How often it was raised so far.
    uint64_t count() const {
        const std::lock_guard lock(mutex_);
        return count_;
    }
    // Until it was raised after count() gave `seen`, or `deadline`.
    void waitBeyond(uint64_t seen, Monotonic::time_point deadline) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline, [&] { return count_ != seen; });
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    uint64_t count_ = 0;
};

}  // namespace homeslice::api
