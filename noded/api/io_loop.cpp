#include "noded/api/io_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace homeslice::api {

absl::StatusOr<std::unique_ptr<IoLoop>> IoLoop::start() {
    UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return errnoStatus(errno, "epoll_create1");
    UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) return errnoStatus(errno, "eventfd");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake.get();
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) return errnoStatus(errno, "epoll_ctl");
    return std::unique_ptr<IoLoop>(new IoLoop(std::move(epoll), std::move(wake)));
}

IoLoop::IoLoop(UniqueFd epoll, UniqueFd wake)
    : epoll_(std::move(epoll)), wake_(std::move(wake)), thread_([this] { run(); }) {}

IoLoop::~IoLoop() {
    post([this] { stopping_ = true; });
    thread_.join();
}

void IoLoop::post(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(task));
    }
    // A full counter also wakes the loop, so a failed write loses nothing.
    eventfd_write(wake_.get(), 1);
}

void IoLoop::waitOnce(int fd, uint32_t events, std::function<void()> ready) {
    epoll_event event{};
    // One shot, because a hang-up is reported whether asked for or not: a call that waits for its client would spin.
    event.events = events | EPOLLONESHOT;
    event.data.fd = fd;
    const bool known = waiting_.contains(fd);
    if (epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
        // Out of memory or of watches: trying again is all that is left, and keeps the stream whole.
        logError("{}", messageOf(errnoStatus(errno, "epoll_ctl")));
        post(std::move(ready));
        return;
    }
    waiting_[fd] = std::move(ready);
}

void IoLoop::forget(int fd) {
    if (waiting_.erase(fd) != 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void IoLoop::run() {
    constexpr int kBatch = 64;
    std::array<epoll_event, kBatch> events;
    while (!stopping_) {
        const int count = epoll_wait(epoll_.get(), events.data(), kBatch, -1);
        for (int i = 0; i < count; ++i) dispatch(events.at(static_cast<size_t>(i)).data.fd);
    }
}

void IoLoop::dispatch(int fd) {
    if (fd == wake_.get()) {
        runPosted();
        return;
    }
    const auto found = waiting_.find(fd);
    if (found == waiting_.end()) return;  // forgotten by an earlier callback of the same batch
    const std::function<void()> ready = std::exchange(found->second, nullptr);
    if (ready) ready();
}

void IoLoop::runPosted() {
    eventfd_t ignored = 0;
    eventfd_read(wake_.get(), &ignored);
    std::vector<std::function<void()>> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(posted_);
    }
    for (const auto& task : tasks) task();
}

}  // namespace homeslice::api
