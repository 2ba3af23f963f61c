// Tells nodes what they wait for where that takes long: the core tells a few at once, itself.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "controller/core/controller.h"

namespace homeslice::controller {

class Teller {
public:
    // The controller outlives it.
    explicit Teller(Controller& controller);
    ~Teller();
    Teller(const Teller&) = delete;
    Teller& operator=(const Teller&) = delete;

private:
    void run();

    Controller& controller_;
    std::mutex mutex_;
    std::condition_variable stirred_;
    bool due_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace homeslice::controller
