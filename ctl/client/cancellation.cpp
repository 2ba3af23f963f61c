#include "ctl/client/cancellation.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace homeslice::ctl {
namespace {

constexpr int kInterrupted = 130;

// Signal handlers reach nothing but globals.
std::atomic<int> signal_event{-1};
std::atomic<int> signals_seen{0};

void notify(int fd) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

void onSignal(int) {
    const int saved = errno;
    if (signals_seen.fetch_add(1) > 0) ::_exit(kInterrupted);
    notify(signal_event.load());
    errno = saved;
}

void setHandler(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Cancellation::Registration::Registration(Cancellation& owner, std::function<void()> callback) : owner_(owner) {
    const std::lock_guard lock(owner_.mutex_);
    if (owner_.cancelled_) {
        callback();
    } else {
        key_ = ++owner_.next_key_;
        owner_.callbacks_.emplace(key_, std::move(callback));
    }
}

Cancellation::Registration::~Registration() {
    const std::lock_guard lock(owner_.mutex_);
    owner_.callbacks_.erase(key_);
}

void Cancellation::cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    for (const auto& [key, callback] : callbacks_) callback();
    callbacks_.clear();
    turned_.notify_all();
}

bool Cancellation::cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
}

bool Cancellation::waitFor(std::chrono::milliseconds duration) const {
    std::unique_lock lock(mutex_);
    return turned_.wait_for(lock, duration, [this] { return cancelled_; });
}

SignalWatch::SignalWatch(Cancellation& cancellation) : cancellation_(cancellation), stop_(::eventfd(0, EFD_CLOEXEC)) {
    signal_event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    setHandler(onSignal);
    thread_ = std::thread([this] { watch(); });
}

SignalWatch::~SignalWatch() {
    setHandler(SIG_DFL);
    notify(stop_.get());
    thread_.join();
    ::close(signal_event.exchange(-1));
}

void SignalWatch::watch() {
    std::array<pollfd, 2> events{{{.fd = signal_event.load(), .events = POLLIN, .revents = 0},
                                  {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
    while (::poll(events.data(), events.size(), -1) < 0) {
    }
    if (events[0].revents != 0) cancellation_.cancel();
}

}  // namespace homeslice::ctl
