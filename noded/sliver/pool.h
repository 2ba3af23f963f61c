// Environments made ahead, for slivers to come: a process in all its namespaces, groups and mounts, with a link, and
// sliver-init waiting for a command. Each is given to one sliver, once. They are of the image that was started last,
// since a root file system cannot be exchanged any more when the sliver's privileges are gone.
//
// Filled by one thread, when no sliver has been started for a moment: a burst of starts is not to compete with it.
// Nothing remembers them: those of a noded that died end by themselves, and the next noded removes what they leave.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "noded/image/store.h"
#include "noded/sliver/starter.h"

namespace homeslice::sliver {

class Pool {
public:
    using Make = std::function<absl::StatusOr<Prepared>(const image::Image&)>;
    using Discard = std::function<void(Prepared)>;

    // `size` 0: never makes any. Make and Discard are called from the pool's thread.
    Pool(uint32_t size, Make make, Discard discard);
    // Discards all.
    ~Pool();

    // One of `image`, if there is. The next ones will be of this image.
    std::optional<Prepared> take(const image::Image& image);

    uint32_t size() const { return size_; }
    uint32_t ready() const;

private:
    void run();
    void discardOldest(std::unique_lock<std::mutex>& lock);
    void makeOne(std::unique_lock<std::mutex>& lock);
    bool isStale(const Prepared& prepared) const;

    const uint32_t size_;
    const Make make_;
    const Discard discard_;
    mutable std::mutex mutex_;  // of all below
    std::condition_variable changed_;
    bool ending_ = false;
    std::optional<image::Image> image_;
    Monotonic::time_point fill_at_{};
    std::deque<Prepared> prepared_;
    std::thread thread_;  // last: it uses all the others
};

}  // namespace homeslice::sliver
