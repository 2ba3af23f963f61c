// Whose home address it is, or was a while ago. Threads: one caller at a time.
#pragma once

#include <map>
#include <optional>

#include "base/clock.h"
#include "spec/slice_names.h"
#include "spec/sliver_id.h"

namespace homeslice::audit {

struct Owner {
    SliverId sliver;
    std::string user;  // who owns the slice; empty: the administrators

    bool operator==(const Owner&) const = default;
};

class Owners {
public:
    // Who is not in `table` any more is remembered for ten minutes: what its slivers have sent at the end is still to
    // be read.
    void set(const NameTable& table, Monotonic::time_point now);
    std::optional<Owner> find(const Ipv6Address& home_address) const;

private:
    struct Entry {
        Owner owner;
        std::optional<Monotonic::time_point> gone{};
    };

    std::map<Ipv6Address, Entry> entries_;
};

}  // namespace homeslice::audit
