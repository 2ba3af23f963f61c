// The rules of the home agent's binding cache (RFC 6275 9.5, 10.3): which update is accepted, until when a binding
// lives. A pure state machine: time comes in as an argument, nothing goes out. Threads: one caller at a time.
#pragma once

#include <map>
#include <optional>
#include <queue>
#include <vector>

#include "noded/mobility/binding.h"
#include "noded/mobility/care_of.h"

namespace homeslice::mobility {

class BindingCache {
public:
    struct Limits {
        uint32_t max_lifetime_s = 60;
        size_t max_bindings = 1'000'000;
        // A binding that ended is remembered for its generation, so that a node that slept cannot take the address
        // back.
        std::chrono::seconds memory = std::chrono::hours(1);
    };
    explicit BindingCache(const Limits& limits) : limits_(limits) {}

    struct Outcome {
        BindingAcknowledgement acknowledgement;
        bool changed = false;  // bound anew, elsewhere, on other terms or by another generation, or given up
        Binding binding;       // as it is now, when accepted; lifetime 0: given up
    };
    Outcome apply(const BindingUpdate& update, Monotonic::time_point now, Utc::time_point utc_now);

    // Takes in what an earlier life knew: a binding lives one greatest lifetime from `now` unless confirmed.
    void restore(const Binding& binding, Monotonic::time_point now);

    struct Expired {
        std::vector<Binding> ended;         // no longer bound, still remembered (lifetime 0)
        std::vector<BindingKey> forgotten;  // not even remembered any more
    };
    Expired expire(Monotonic::time_point now);
    std::optional<Monotonic::time_point> nextExpiry() const;
    // As if it had never been.
    void erase(const BindingKey& key) { entries_.erase(key); }

    // Of all binding ids of `home_address`, in their order.
    CareOfSet careOf(const Ipv6Address& home_address) const;
    std::vector<Binding> list() const;

private:
    struct Deadline {
        Monotonic::time_point time;
        BindingKey key;
        bool operator>(const Deadline& other) const { return time > other.time; }
    };

    struct Entry {
        Binding binding;                 // lifetime 0: remembered only
        Monotonic::time_point deadline;  // the one in deadlines_ that counts
    };
    void schedule(Entry& entry);

    // A refresh moves only the entry's end; the deadline follows when it comes up.
    std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
    std::map<BindingKey, Entry> entries_;
    const Limits limits_;
};

}  // namespace homeslice::mobility
