// So many questions a second from each asker, and no more. Bounded memory: with more askers than it has room for it
// begins anew, which lets some more through. Threads: one caller at a time.
#pragma once

#include <unordered_map>

#include "base/clock.h"
#include "base/ipv6.h"

namespace homeslice::names {

class RateLimit {
public:
    // `burst` at once, then `rate` a second.
    RateLimit(double rate, double burst) : rate_(rate), burst_(burst) {}

    // Whether `asker` may ask now; if so, it has.
    bool allow(const Ipv6Address& asker, Monotonic::time_point now);

private:
    struct Bucket {
        double tokens = 0;
        Monotonic::time_point filled;
    };
    static constexpr size_t kMostAskers = 16384;

    const double rate_;
    const double burst_;
    std::unordered_map<Ipv6Address, Bucket> buckets_;
};

}  // namespace homeslice::names
