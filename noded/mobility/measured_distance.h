// How far one address is: the least round trip of its last answers, for what a queue or a busy processor adds passes,
// and whether answers come at all. A pure state machine. Threads: one caller at a time.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace homeslice::mobility {

class MeasuredDistance {
public:
    using Microseconds = std::chrono::microseconds;

    void answered(Microseconds round_trip) {
        lost_ = 0;
        answers_[count_++ % kWindow] = round_trip;
    }
    void unanswered() {
        if (lost_ < kLostBeforeAway) ++lost_;
    }
    // Three in a row went without an answer.
    bool isAway() const { return lost_ == kLostBeforeAway; }
    // Nothing before the first answer, and while it is away.
    std::optional<Microseconds> value() const {
        if (isAway() || count_ == 0) return std::nullopt;
        return *std::min_element(answers_.begin(),
                                 answers_.begin() + static_cast<ptrdiff_t>(std::min(count_, kWindow)));
    }
    // More answers would tell more.
    bool isRough() const { return count_ < kWindow && !isAway(); }

private:
    static constexpr size_t kWindow = 8;
    static constexpr int kLostBeforeAway = 3;

    std::array<Microseconds, kWindow> answers_{};  // the newest, the place of the next is count_ modulo their number
    size_t count_ = 0;
    int lost_ = 0;  // since the last answer
};

}  // namespace homeslice::mobility
