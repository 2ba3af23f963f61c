// Which of a home prefix's home agents is in charge: VRRP's rules (RFC 9568 6) without preemption, and with a term that
// fences. The one in charge holds a lease that each of its advertisements renews; the others take over when it has
// missed three. Each new holder begins a higher term, and of two that claim the prefix the higher term counts. A pure
// state machine: time comes in as an argument. Threads: one caller at a time.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

#include "base/clock.h"
#include "base/ipv6.h"
#include "noded/mobility/binding.h"

namespace homeslice::mobility {

// What the one in charge says to the others.
struct Advertisement {
    uint64_t term = 0;
    uint8_t priority = 0;                  // 0: it gives the lease back (RFC 9568 5.2.4)
    std::chrono::milliseconds interval{};  // to the next one

    bool operator==(const Advertisement&) const = default;
};

class Election {
public:
    struct Config {
        Ipv6Address self;
        uint8_t priority = 100;  // 1 to 254; who has more takes over earlier
        std::chrono::milliseconds interval{150};
    };
    // Begins as a standby that listens for one whole lease.
    Election(const Config& config, Monotonic::time_point now);

    // Without others there is nothing to agree on: in charge at once, or after `hold`.
    void setAlone(bool alone, Monotonic::time_point now, Monotonic::duration hold = {});
    void heard(const Ipv6Address& sender, const Advertisement& advertisement, Monotonic::time_point now);
    // To be called when due() has come. True when an advertisement is to be sent, see advertisement().
    bool tick(Monotonic::time_point now);
    Monotonic::time_point due() const { return due_; }
    // Gives the lease back; what is to be sent then says so.
    void resign();

    HomeAgentRole role() const { return {.in_charge = in_charge_, .term = term_}; }
    Advertisement advertisement() const;

private:
    std::chrono::milliseconds skew(std::chrono::milliseconds interval) const;
    std::chrono::milliseconds lease(std::chrono::milliseconds interval) const;
    void takeCharge(Monotonic::time_point now);
    void stepDown(Monotonic::time_point now, std::chrono::milliseconds interval);

    const Config config_;
    bool alone_ = false;
    bool in_charge_ = false;
    bool resigned_ = false;
    uint64_t term_ = 0;
    Monotonic::time_point due_;
    Monotonic::time_point lease_end_;  // while in charge: later than this the others may have taken over
};

}  // namespace homeslice::mobility
