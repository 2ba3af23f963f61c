#include "noded/mobility/election.h"

#include <tuple>

namespace homeslice::mobility {
namespace {

constexpr int kMissed = 3;  // advertisements that may be lost (RFC 9568 6.1, Active_Down_Interval)
constexpr int kPriorities = 256;

}  // namespace

Election::Election(const Config& config, Monotonic::time_point now)
    : config_(config), due_(now + lease(config.interval)) {}

std::chrono::milliseconds Election::skew(std::chrono::milliseconds interval) const {
    return (kPriorities - config_.priority) * interval / kPriorities;
}

std::chrono::milliseconds Election::lease(std::chrono::milliseconds interval) const {
    return kMissed * interval + skew(interval);
}

void Election::setAlone(bool alone, Monotonic::time_point now, Monotonic::duration hold) {
    if (alone && !alone_ && !in_charge_) due_ = now + hold;
    alone_ = alone;
    lease_end_ = now + lease(config_.interval);
}

void Election::takeCharge(Monotonic::time_point now) {
    in_charge_ = true;
    ++term_;
    due_ = now;
    lease_end_ = now + lease(config_.interval);
}

void Election::stepDown(Monotonic::time_point now, std::chrono::milliseconds interval) {
    in_charge_ = false;
    due_ = now + lease(interval);
}

void Election::heard(const Ipv6Address& sender, const Advertisement& advertisement, Monotonic::time_point now) {
    if (in_charge_) {
        if (advertisement.priority == 0) return;
        const auto theirs = std::tuple(advertisement.term, advertisement.priority, sender);
        if (theirs < std::tuple(term_, config_.priority, config_.self)) {
            due_ = now;  // it does not know yet that its lease has ended
            return;
        }
        term_ = advertisement.term;
        stepDown(now, advertisement.interval);
        return;
    }
    if (advertisement.term < term_ || resigned_) return;
    term_ = advertisement.term;
    due_ = now + (advertisement.priority == 0 ? skew(advertisement.interval) : lease(advertisement.interval));
}

bool Election::tick(Monotonic::time_point now) {
    if (now < due_) return false;
    if (!in_charge_) {
        takeCharge(now);
    } else if (!alone_ && now > lease_end_) {
        // We slept through our own lease (a stopped process, a paused machine): the others decide.
        stepDown(now, config_.interval);
        return false;
    }
    due_ = now + config_.interval;
    lease_end_ = now + lease(config_.interval);
    return true;
}

void Election::resign() {
    in_charge_ = false;
    resigned_ = true;
    due_ = Monotonic::time_point::max();
}

Advertisement Election::advertisement() const {
    return {.term = term_, .priority = resigned_ ? uint8_t{0} : config_.priority, .interval = config_.interval};
}

}  // namespace homeslice::mobility
