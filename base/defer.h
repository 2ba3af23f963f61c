// Runs a callable when the scope ends, unless dismissed. Header only.
#pragma once

#include <utility>

namespace homeslice {

template <typename F>
class Defer {
public:
    explicit Defer(F callable) : callable_(std::move(callable)) {}
    ~Defer() {
        if (armed_) callable_();
    }
    Defer(const Defer&) = delete;
    Defer& operator=(const Defer&) = delete;
    void dismiss() { armed_ = false; }

private:
    F callable_;
    bool armed_ = true;
};

}  // namespace homeslice
