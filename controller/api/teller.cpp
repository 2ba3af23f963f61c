#include "controller/api/teller.h"

#include <chrono>

namespace homeslice::controller {
namespace {

// A mutex is not fair: whoever asks for something gets the core's lock while the teller rests.
constexpr std::chrono::milliseconds kRest{2};

}  // namespace

Teller::Teller(Controller& controller) : controller_(controller) {
    controller_.onUntold([this] {
        const std::lock_guard lock(mutex_);
        due_ = true;
        stirred_.notify_one();
    });
    thread_ = std::thread([this] { run(); });
}

Teller::~Teller() {
    controller_.onUntold(nullptr);
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        stirred_.notify_one();
    }
    thread_.join();
}

void Teller::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        stirred_.wait(lock, [this] { return due_ || stopping_; });
        due_ = false;
        for (bool more = true; more && !stopping_;) {
            lock.unlock();
            more = controller_.tellMore();
            lock.lock();
            stirred_.wait_for(lock, kRest, [this] { return stopping_; });
        }
        if (stopping_) return;
    }
}

}  // namespace homeslice::controller
