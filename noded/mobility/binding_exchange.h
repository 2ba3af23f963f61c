// The registration of one home address at one home agent, as its sender sees it (RFC 6275 11.7.1, 11.8): sequence
// numbers, retransmission from 1 s (the first time 1.5 s) to 32 s, refresh. A pure state machine. Threads: one caller
// at a time.
#pragma once

#include <chrono>
#include <cstdint>

#include "noded/mobility/binding.h"

namespace homeslice::mobility {

class BindingExchange {
public:
    // Starts over: the next update goes out at once.
    void restart(Monotonic::time_point now);
    // The sequence number of the update that goes out now; the next one is due later.
    uint16_t sent(Monotonic::time_point now);
    // False when the acknowledgement answers no update that still counts.
    bool acknowledged(const BindingAcknowledgement& acknowledgement, Monotonic::time_point now);

    // When to send (again): max() when there is nothing more to say.
    Monotonic::time_point due() const { return due_; }
    bool answered() const { return answered_; }
    BindingStatus status() const { return status_; }
    // Accepted and not expired.
    bool isRegistered(Monotonic::time_point now) const { return registered_ && now < expires_; }
    // No retransmission can help.
    bool isFinal() const { return answered_ && isFinalRefusal(status_); }
    static bool isFinalRefusal(BindingStatus status) { return status == BindingStatus::generation_stale; }

private:
    uint16_t sequence_ = 0;
    bool sent_ = false;      // since the last restart
    bool answered_ = false;  // the same
    bool registered_ = false;
    BindingStatus status_ = BindingStatus::accepted;
    Monotonic::time_point expires_;
    Monotonic::time_point due_ = Monotonic::time_point::max();
    std::chrono::milliseconds backoff_{1500};
};

}  // namespace homeslice::mobility
