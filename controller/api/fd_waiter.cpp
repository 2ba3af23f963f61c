#include "controller/api/fd_waiter.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/status.h"

namespace homeslice::controller {
namespace {

constexpr int kMostAtOnce = 64;

}  // namespace

FdWaiter::FdWaiter(UniqueFd epoll, UniqueFd stop) : epoll_(std::move(epoll)), stop_(std::move(stop)) {
    thread_ = std::thread([this] { run(); });
}

FdWaiter::~FdWaiter() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

absl::StatusOr<std::unique_ptr<FdWaiter>> FdWaiter::start() {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!epoll || !stop) return errnoStatus(errno, "epoll");
    epoll_event event{.events = EPOLLIN, .data = {.fd = stop.get()}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, stop.get(), &event) != 0) return errnoStatus(errno, "epoll_ctl");
    return std::unique_ptr<FdWaiter>(new FdWaiter(std::move(epoll), std::move(stop)));
}

void FdWaiter::waitOnce(int fd, uint32_t events, Ready ready) {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = waiting_.insert_or_assign(fd, std::move(ready));
    epoll_event event{.events = events | EPOLLONESHOT, .data = {.fd = fd}};
    ::epoll_ctl(epoll_.get(), is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

void FdWaiter::forget(int fd) {
    const std::lock_guard lock(mutex_);
    if (waiting_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void FdWaiter::run() {
    std::array<epoll_event, kMostAtOnce> events{};
    for (;;) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), kMostAtOnce, -1);
        for (int i = 0; i < count; ++i) {
            if (events[i].data.fd == stop_.get()) return;
            Ready ready;
            {
                const std::lock_guard lock(mutex_);
                const auto found = waiting_.find(events[i].data.fd);
                if (found != waiting_.end()) ready = std::exchange(found->second, {});
            }
            if (ready) ready();
        }
    }
}

}  // namespace homeslice::controller
