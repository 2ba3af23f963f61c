#include "noded/names/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "base/status.h"

namespace homeslice::names {

absl::StatusOr<Loop> Loop::open() {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!epoll || !event) return errnoStatus(errno, "epoll_create1, eventfd");
    Loop loop(std::move(epoll), std::move(event));
    const int fd = loop.event_.get();
    HS_RETURN_IF_ERROR(loop.watch(fd, EPOLLIN, [fd](uint32_t) {
        uint64_t count = 0;
        [[maybe_unused]] const ssize_t n = ::read(fd, &count, sizeof count);
    }));
    return loop;
}

absl::Status Loop::watch(int fd, uint32_t events, Callback callback) {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.fd = fd;
    const int operation = callbacks_.contains(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (::epoll_ctl(epoll_.get(), operation, fd, &wanted) != 0) return errnoStatus(errno, "epoll_ctl");
    callbacks_[fd] = std::move(callback);
    return absl::OkStatus();
}

void Loop::remove(int fd) {
    if (callbacks_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Loop::runOnce(std::chrono::milliseconds timeout) {
    std::array<epoll_event, 64> events{};
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), static_cast<int>(timeout.count()));
    for (int i = 0; i < count; ++i) {
        // An earlier one may have removed it; and a copy, for it may remove itself.
        const auto found = callbacks_.find(events[static_cast<size_t>(i)].data.fd);
        if (found == callbacks_.end()) continue;
        const Callback callback = found->second;
        callback(events[static_cast<size_t>(i)].events);
    }
}

void Loop::wake() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(event_.get(), &one, sizeof one);
}

}  // namespace homeslice::names
