#include "noded/api/workers.h"

#include <system_error>
#include <thread>
#include <utility>

namespace homeslice::api {

Workers::~Workers() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return running_ == 0; });
}

bool Workers::tryRun(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        if (running_ == limit_) return false;
        ++running_;
    }
    try {
        std::thread([this, work = std::move(task)]() mutable {
            work();
            work = nullptr;  // what it holds goes before the destructor may proceed
            finished();
        }).detach();
    } catch (const std::system_error&) {
        finished();
        return false;
    }
    return true;
}

void Workers::finished() {
    const std::lock_guard lock(mutex_);
    --running_;
    // Under the lock: the destructor cannot run on, and the condition cannot vanish, before this call returns.
    idle_.notify_all();
}

}  // namespace homeslice::api
