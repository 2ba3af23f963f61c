// Slivers that are due for a look, worked off by a few threads: one worker per sliver at a time, and another look when
// something happened during the last.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "spec/sliver_spec.h"

namespace homeslice::sliver {

class WorkQueue {
public:
    // Looks after one sliver. Returns when it is due again at the latest; nothing: when it is added.
    using Work = std::function<std::optional<std::chrono::milliseconds>(const SliverId&)>;

    WorkQueue(unsigned threads, Work work);
    ~WorkQueue() { stop(); }

    // Waits for the looks under way; what is queued, or added later, is dropped. Not from within Work.
    void stop();

    // Due now. Any thread, also from within Work.
    void add(const SliverId& id);

private:
    struct Item {
        bool working = false;
        bool added_meanwhile = false;
        std::optional<Monotonic::time_point> due = std::nullopt;
    };
    void run();
    // The next sliver that is due; nothing when the queue ends. Takes it out.
    std::optional<SliverId> take(std::unique_lock<std::mutex>& lock);
    void schedule(const SliverId& id, Monotonic::time_point due);

    const Work work_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ending_ = false;
    std::map<SliverId, Item> items_;
    std::set<std::pair<Monotonic::time_point, SliverId>> due_;
    std::vector<std::jthread> threads_;
};

}  // namespace homeslice::sliver
