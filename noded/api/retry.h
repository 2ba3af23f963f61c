// For threads that keep something going: stop them, and pace their attempts.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace homeslice::api {

// Set once, from any thread.
class StopFlag {
public:
    void set() {
        const std::lock_guard lock(mutex_);
        set_ = true;
        changed_.notify_all();
    }
    bool isSet() const {
        const std::lock_guard lock(mutex_);
        return set_;
    }
    // True as soon as it is set; false after `duration`.
    bool waitFor(std::chrono::nanoseconds duration) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, duration, [this] { return set_; });
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool set_ = false;
};

// Doubles from `first` to `last`. One thread.
class BackOff {
public:
    BackOff(std::chrono::milliseconds first, std::chrono::milliseconds last)
        : first_(first), last_(last), next_(first) {}
    std::chrono::milliseconds next() {
        const auto now = next_;
        next_ = std::min(next_ * 2, last_);
        return now;
    }
    void reset() { next_ = first_; }

private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds last_;
    std::chrono::milliseconds next_;
};

}  // namespace homeslice::api
