#include "noded/mobility/binding_exchange.h"

#include <algorithm>

namespace homeslice::mobility {
namespace {

// INITIAL_DAD_TIMER, INITIAL_BINDACK_TIMEOUT and MAX_BINDACK_TIMEOUT (RFC 6275 12): before the first registration the
// home agent may need a second for duplicate address detection.
constexpr std::chrono::milliseconds kFirstRegistrationBackoff{1500};
constexpr std::chrono::milliseconds kFirstBackoff{1000};
constexpr std::chrono::milliseconds kLastBackoff{32000};

}  // namespace

void BindingExchange::restart(Monotonic::time_point now) {
    sent_ = answered_ = false;
    backoff_ = registered_ ? kFirstBackoff : kFirstRegistrationBackoff;
    due_ = now;
}

uint16_t BindingExchange::sent(Monotonic::time_point now) {
    due_ = now + backoff_;
    backoff_ = std::min(2 * backoff_, kLastBackoff);
    sent_ = true;
    return ++sequence_;
}

bool BindingExchange::acknowledged(const BindingAcknowledgement& acknowledgement, Monotonic::time_point now) {
    if (!sent_) return false;  // it answers what was said before there was something new to say
    const bool out_of_window = acknowledgement.status == BindingStatus::sequence_out_of_window;
    if (!out_of_window && acknowledgement.sequence != sequence_) return false;
    if (out_of_window) {
        // It holds the last sequence that was accepted, perhaps from our life before this one. Once at a time: a home
        // agent that never agrees gets the retransmission's pace.
        const bool again = answered_ && status_ == BindingStatus::sequence_out_of_window;
        sequence_ = acknowledgement.sequence;
        if (!again) due_ = now;
    }
    answered_ = true;
    status_ = acknowledgement.status;
    if (status_ == BindingStatus::accepted) {
        registered_ = acknowledgement.lifetime_s != 0;
        expires_ = now + std::chrono::seconds(acknowledgement.lifetime_s);
        backoff_ = kFirstBackoff;
        due_ = registered_ ? now + std::chrono::seconds(acknowledgement.refresh_s) : Monotonic::time_point::max();
    } else if (isFinalRefusal(status_)) {
        registered_ = false;
        due_ = Monotonic::time_point::max();
    }
    return true;
}

}  // namespace homeslice::mobility
