#include "noded/sliver/pool.h"

#include "base/log.h"
#include "base/status.h"

namespace homeslice::sliver {
namespace {

constexpr std::chrono::milliseconds kQuiet{50};
constexpr std::chrono::seconds kAfterFailure{10};

}  // namespace

Pool::Pool(uint32_t size, Make make, Discard discard)
    : size_(size), make_(std::move(make)), discard_(std::move(discard)) {
    if (size_ > 0) thread_ = std::thread([this] { run(); });
}

Pool::~Pool() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    for (Prepared& each : prepared_) discard_(std::move(each));
}

std::optional<Prepared> Pool::take(const image::Image& image) {
    if (size_ == 0) return std::nullopt;
    std::optional<Prepared> taken;
    {
        const std::lock_guard lock(mutex_);
        image_ = image;
        fill_at_ = Monotonic::now() + kQuiet;
        if (!prepared_.empty() && !isStale(prepared_.front())) {
            taken = std::move(prepared_.front());
            prepared_.pop_front();
        }
    }
    changed_.notify_all();
    return taken;
}

uint32_t Pool::ready() const {
    const std::lock_guard lock(mutex_);
    return static_cast<uint32_t>(prepared_.size());
}

bool Pool::isStale(const Prepared& prepared) const { return prepared.image_digest != image_->digest; }

void Pool::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        const bool stale = !prepared_.empty() && isStale(prepared_.front());
        if (!image_ || (!stale && prepared_.size() >= size_)) {
            changed_.wait(lock);
        } else if (Monotonic::now() < fill_at_) {
            changed_.wait_until(lock, fill_at_);
        } else if (stale) {
            discardOldest(lock);
        } else {
            makeOne(lock);
        }
    }
}

void Pool::discardOldest(std::unique_lock<std::mutex>& lock) {
    Prepared old = std::move(prepared_.front());
    prepared_.pop_front();
    lock.unlock();
    discard_(std::move(old));
    lock.lock();
}

void Pool::makeOne(std::unique_lock<std::mutex>& lock) {
    const image::Image image = *image_;
    lock.unlock();
    absl::StatusOr<Prepared> made = make_(image);
    lock.lock();
    if (made.ok()) return prepared_.push_back(std::move(*made));
    logWarning("no environment for slivers to come: {}", messageOf(made.status()));
    fill_at_ = Monotonic::now() + kAfterFailure;
}

}  // namespace homeslice::sliver
