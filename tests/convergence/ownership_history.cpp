#include "tests/convergence/ownership_history.h"

#include <fmt/format.h>

#include <optional>

namespace homeslice::testing_support {
namespace {

struct Owner {
    std::string node;
    uint64_t generation = 0;
    bool alive = false;
};

std::string describe(const OwnershipEvent& event) {
    return fmt::format("at {} s, {} of {} on {}, generation {}", event.time_s, event.home_address.toString(),
                       event.home_agent, event.node, event.generation);
}

class Checker {
public:
    void take(const OwnershipEvent& event) {
        Owner& owner = owners_[{event.home_agent, event.home_address}];
        if (event.kind == OwnershipEvent::Kind::ended) {
            owner.alive = false;
            return;
        }
        checkGeneration(event);
        if (event.generation < owner.generation) {
            report(event, fmt::format("after generation {} of {}", owner.generation, owner.node));
        }
        if (owner.alive && owner.node != event.node) {
            handovers_ += 1;
            if (event.generation == owner.generation) report(event, "while " + owner.node + " owns it");
        }
        owner = {event.node, event.generation, true};
    }

    std::vector<std::string> violations_;
    size_t handovers_ = 0;

private:
    void checkGeneration(const OwnershipEvent& event) {
        std::string& given_to = given_to_[{event.home_address, event.generation}];
        if (!given_to.empty() && given_to != event.node) report(event, "which was " + given_to + "'s");
        given_to = event.node;
    }
    void report(const OwnershipEvent& event, const std::string& why) {
        violations_.push_back(describe(event) + ", " + why);
    }

    std::map<std::pair<std::string, Ipv6Address>, Owner> owners_;
    std::map<std::pair<Ipv6Address, uint64_t>, std::string> given_to_;
};

Checker checked(const std::vector<OwnershipEvent>& events) {
    Checker checker;
    for (const OwnershipEvent& event : events) checker.take(event);
    return checker;
}

}  // namespace

std::vector<std::string> OwnershipHistory::violations() const { return checked(events_).violations_; }

size_t OwnershipHistory::handovers() const { return checked(events_).handovers_; }

}  // namespace homeslice::testing_support
