// Who owned which home address at which home agent, and a checker that finds out whether two did at once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/ipv6.h"

namespace homeslice::testing_support {

struct OwnershipEvent {
    enum class Kind {
        accepted,  // the home agent took a node's registration, new or repeated
        ended,     // it expired, or was given up
    };
    Kind kind = Kind::accepted;
    int64_t time_s = 0;
    std::string home_agent;
    Ipv6Address home_address;
    std::string node;         // with `accepted`
    uint64_t generation = 0;  // with `accepted`
};

class OwnershipHistory {
public:
    void add(const OwnershipEvent& event) { events_.push_back(event); }

    // What is wrong, a line each; empty when nothing is:
    // - a generation of an address was taken from two nodes, at whichever home agents: the controller gave it out
    // twice;
    // - a home agent took a registration with a lower generation than it had before: what was fenced came back;
    // - it took one from another node while one of the same generation was alive: two owners at once.
    std::vector<std::string> violations() const;

    size_t size() const { return events_.size(); }
    // How often an address changed its owner at a home agent: a history without is no test of anything.
    size_t handovers() const;

private:
    std::vector<OwnershipEvent> events_;
};

}  // namespace homeslice::testing_support
