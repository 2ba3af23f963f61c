// One switch that ends everything a command has under way, and the signals that turn it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/unique_fd.h"

namespace homeslice::ctl {

// Thread safe.
class Cancellation {
public:
    // Calls its callback at most once, and never after its destructor.
    class Registration {
    public:
        Registration(Cancellation& owner, std::function<void()> callback);
        ~Registration();
        Registration(const Registration&) = delete;
        Registration& operator=(const Registration&) = delete;

    private:
        Cancellation& owner_;
        uint64_t key_ = 0;
    };

    // Calls what is registered; later registrations are called at once. Callbacks must not register or unregister.
    void cancel();
    bool cancelled() const;
    // Sleeps; true as soon as it is cancelled.
    bool waitFor(std::chrono::milliseconds duration) const;

private:
    mutable std::mutex mutex_;
    mutable std::condition_variable turned_;
    bool cancelled_ = false;
    uint64_t next_key_ = 0;
    std::map<uint64_t, std::function<void()>> callbacks_;
};

// While it lives, the first SIGINT or SIGTERM cancels, and the next ends the process with status 130. Handlers, not a
// signal mask: programs that are executed meanwhile start with the usual dispositions. At most one at a time.
class SignalWatch {
public:
    explicit SignalWatch(Cancellation& cancellation);
    ~SignalWatch();
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

private:
    void watch();

    Cancellation& cancellation_;
    UniqueFd stop_;
    std::thread thread_;
};

}  // namespace homeslice::ctl
