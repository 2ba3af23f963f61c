#include "noded/sliver/work_queue.h"

namespace homeslice::sliver {

WorkQueue::WorkQueue(unsigned threads, Work work) : work_(std::move(work)) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void WorkQueue::stop() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    threads_.clear();  // joins
}

void WorkQueue::add(const SliverId& id) {
    {
        const std::lock_guard lock(mutex_);
        Item& item = items_[id];
        if (item.working) {
            item.added_meanwhile = true;
            return;
        }
        schedule(id, Monotonic::now());
    }
    changed_.notify_one();
}

void WorkQueue::schedule(const SliverId& id, Monotonic::time_point due) {
    Item& item = items_[id];
    if (item.due) due_.erase({*item.due, id});
    item.due = due;
    due_.emplace(due, id);
}

std::optional<SliverId> WorkQueue::take(std::unique_lock<std::mutex>& lock) {
    for (;;) {
        if (ending_) return std::nullopt;
        if (due_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const auto [due, id] = *due_.begin();
        if (due > Monotonic::now()) {
            changed_.wait_until(lock, due);
            continue;
        }
        due_.erase(due_.begin());
        items_[id] = {.working = true};
        return id;
    }
}

void WorkQueue::run() {
    std::unique_lock lock(mutex_);
    while (const std::optional<SliverId> id = take(lock)) {
        lock.unlock();
        const std::optional<std::chrono::milliseconds> again = work_(*id);
        lock.lock();
        const bool added = items_[*id].added_meanwhile;
        if (!added && !again) {
            items_.erase(*id);
            continue;
        }
        items_[*id] = {};
        schedule(*id, added ? Monotonic::now() : Monotonic::now() + *again);
        changed_.notify_one();
    }
}

}  // namespace homeslice::sliver
