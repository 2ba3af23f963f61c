// Guarantees of CPU time that are promised ahead of time, or lent.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace homeslice::controller {

// Capacity of nodes that only slices made on it are guaranteed, from start_us to end_us.
struct Reservation {
    std::string name;
    std::string owner;  // user who may make slices on it
    std::set<std::string> nodes;
    uint32_t cpu_millis = 0;  // of each node, thousandths of a CPU
    int64_t start_us = 0;
    int64_t end_us = 0;

    bool operator==(const Reservation&) const = default;
};

// What slivers of `lender` give up of their guarantee, so that as many slivers of `borrower` on the same node have it.
struct Loan {
    std::string lender;    // slice
    std::string borrower;  // slice
    uint32_t cpu_millis = 0;
    int64_t end_us = 0;

    // There is one loan at a time between two slices.
    std::string key() const { return lender + "/" + borrower; }
    bool operator==(const Loan&) const = default;
};

}  // namespace homeslice::controller
