#include "noded/sliver/supervisor.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "base/log.h"
#include "base/status.h"

namespace homeslice::sliver {
namespace {

absl::Status addToEpoll(int epoll, int fd, uint64_t token) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = token;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return errnoStatus(errno, "epoll_ctl");
    return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Supervisor>> Supervisor::create(OnEnd on_end) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) return errnoStatus(errno, "epoll_create1");
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
    if (!wake.valid()) return errnoStatus(errno, "eventfd");
    HS_RETURN_IF_ERROR(addToEpoll(epoll.get(), wake.get(), 0));
    return std::unique_ptr<Supervisor>(new Supervisor(std::move(on_end), std::move(epoll), std::move(wake)));
}

Supervisor::Supervisor(OnEnd on_end, UniqueFd epoll, UniqueFd wake)
    : on_end_(std::move(on_end)), epoll_(std::move(epoll)), wake_(std::move(wake)), thread_([this] { run(); }) {}

Supervisor::~Supervisor() {
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
}

absl::Status Supervisor::watch(const SliverId& id, int fd) {
    UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!own.valid()) return errnoStatus(errno, "fcntl(F_DUPFD_CLOEXEC)");
    const std::lock_guard lock(mutex_);
    const uint64_t token = next_token_++;
    HS_RETURN_IF_ERROR(addToEpoll(epoll_.get(), own.get(), token));
    watched_.emplace(token, Watched{.id = id, .pidfd = std::move(own)});
    return absl::OkStatus();
}

void Supervisor::ended(uint64_t token) {
    SliverId id;
    {
        const std::lock_guard lock(mutex_);
        const auto found = watched_.find(token);
        if (found == watched_.end()) return;
        // Closing alone would not do: the kernel keeps what another descriptor of the same file is open for.
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.pidfd.get(), nullptr);
        id = found->second.id;
        watched_.erase(found);
    }
    on_end_(id);
}

void Supervisor::run() {
    for (;;) {
        epoll_event events[16];
        const int count = ::epoll_wait(epoll_.get(), events, 16, -1);
        if (count < 0 && errno != EINTR) {
            logError("supervisor: epoll_wait: errno {}; ends of slivers go unseen", errno);
            return;
        }
        for (int i = 0; i < count; ++i) {
            if (events[i].data.u64 == 0) return;
            ended(events[i].data.u64);
        }
    }
}

}  // namespace homeslice::sliver
