#include "controller/core/capacity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/status.h"

namespace homeslice::controller {
namespace {

std::string timeText(int64_t us) { return formatUtc(fromUnixMicros(us)); }

bool overlaps(const Reservation& reservation, int64_t from_us, int64_t until_us) {
    return reservation.start_us < until_us && from_us < reservation.end_us;
}

// The most that reservations hold of the node at any time from `from_us` to `until_us`, and one that does.
struct Held {
    uint64_t millis = 0;
    std::string by;
};
Held heldAhead(const Snapshot& snapshot, const std::string& node, int64_t from_us, int64_t until_us) {
    Held most;
    // What is held grows only where a reservation begins.
    for (const auto& [name, reservation] : snapshot.reservations) {
        if (!reservation.nodes.contains(node) || !overlaps(reservation, from_us, until_us)) continue;
        const int64_t at_us = std::max(reservation.start_us, from_us);
        uint64_t millis = 0;
        for (const auto& [other_name, other] : snapshot.reservations) {
            if (other.nodes.contains(node) && overlaps(other, at_us, at_us + 1)) millis += other.cpu_millis;
        }
        if (millis > most.millis) most = {millis, name};
    }
    return most;
}

// Whether what the slice is guaranteed comes out of a reservation that has not ended.
bool isOnReservation(const World& world, const Slice& slice) {
    const auto reservation = world.snapshot.reservations.find(slice.reservation);
    return reservation != world.snapshot.reservations.end() && reservation->second.end_us > world.now_us;
}

uint64_t guaranteeOn(const World& world, const Slice& slice, const std::string& node) {
    uint64_t millis = 0;
    for (const Sliver* sliver : sliversOf(world.snapshot, slice.name)) {
        const bool there = sliver->node == node || sliver->move.source == node || sliver->move.target == node;
        if (there) millis += slice.base.resources.cpu_reservation_millis;
    }
    return millis;
}

// What slices that are on no reservation are guaranteed on the node at a time ahead, and which.
struct Guaranteed {
    uint64_t millis = 0;
    std::vector<std::string> slices;
};
Guaranteed guaranteedAt(const World& world, const std::string& node, int64_t at_us, const std::string& except) {
    Guaranteed result;
    for (const auto& [name, slice] : world.snapshot.slices) {
        if (name == except || slice.suspended || slice.deleting || slice.lease_end_us <= at_us) continue;
        if (isOnReservation(world, slice)) continue;
        const uint64_t millis = guaranteeOn(world, slice, node);
        if (millis == 0) continue;
        result.millis += millis;
        result.slices.push_back(fmt::format("slice '{}' {}m until {}", name, millis, timeText(slice.lease_end_us)));
    }
    return result;
}

void takeShareOf(const World& world, const Reservation& reservation, std::vector<Candidate>& nodes) {
    for (Candidate& node : nodes) {
        if (!reservation.nodes.contains(node.name)) {
            node.barred = "not in reservation " + reservation.name;
            continue;
        }
        node.cpu_millis = reservation.cpu_millis;
        node.reserved_millis = 0;
        for (const std::string& slice : slicesOn(world.snapshot, reservation.name)) {
            node.reserved_millis +=
                static_cast<uint32_t>(guaranteeOn(world, world.snapshot.slices.at(slice), node.name));
        }
    }
}

void leaveToReservations(const World& world, int64_t until_us, std::vector<Candidate>& nodes) {
    for (Candidate& node : nodes) {
        const Held held = heldAhead(world.snapshot, node.name, world.now_us, until_us);
        if (held.millis == 0) continue;
        uint64_t inside = 0;  // is in `held` already
        for (const auto& [name, slice] : world.snapshot.slices) {
            if (isOnReservation(world, slice)) inside += guaranteeOn(world, slice, node.name);
        }
        node.reserved_millis = static_cast<uint32_t>(node.reserved_millis - inside + held.millis);
        node.held_by = fmt::format("{}m held by reservation {}", held.millis, held.by);
    }
}

// Why the node cannot promise this; names everything that is in the way.
std::string conflictOn(const World& world, const Node& node, const Reservation& wanted) {
    const Guaranteed slices = guaranteedAt(world, node.name, wanted.start_us, "");
    std::vector<std::string> holders = slices.slices;
    for (const auto& [name, other] : world.snapshot.reservations) {
        if (!other.nodes.contains(node.name) || !overlaps(other, wanted.start_us, wanted.end_us)) continue;
        holders.push_back(fmt::format("reservation '{}' {}m from {} to {}", name, other.cpu_millis,
                                      timeText(other.start_us), timeText(other.end_us)));
    }
    return fmt::format("node '{}' has {}m CPU: {}; {}m more are too many", node.name, node.cpus * 1000,
                       holders.empty() ? "nothing is promised" : fmt::format("{}", fmt::join(holders, ", ")),
                       wanted.cpu_millis);
}

// The nodes as they will be in the reservation's time. Whether they are ready today says nothing about that.
std::vector<Candidate> candidatesAhead(const World& world, const Reservation& wanted) {
    std::vector<Candidate> nodes = candidates(world);
    for (Candidate& node : nodes) {
        node.ready = true;
        node.slices.clear();
        node.reserved_millis =
            static_cast<uint32_t>(guaranteedAt(world, node.name, wanted.start_us, "").millis +
                                  heldAhead(world.snapshot, node.name, wanted.start_us, wanted.end_us).millis);
    }
    return nodes;
}

}  // namespace

std::vector<Candidate> candidatesFor(const World& world, std::vector<Candidate> nodes, const Slice& slice) {
    const auto reservation = world.snapshot.reservations.find(slice.reservation);
    if (reservation != world.snapshot.reservations.end()) {
        takeShareOf(world, reservation->second, nodes);
    } else if (!world.snapshot.reservations.empty()) {
        leaveToReservations(world, slice.lease_end_us, nodes);
    }
    return nodes;
}

void countIn(std::vector<Candidate>& nodes, const std::string& name, const Slice& slice) {
    for (Candidate& node : nodes) {
        if (node.name != name) continue;
        node.slivers += 1;
        node.reserved_millis += slice.base.resources.cpu_reservation_millis;
        node.slices.push_back(slice.name);
    }
}

absl::StatusOr<Reservation> planReservation(const World& world, Reservation reservation,
                                            const PlacementRequest& request) {
    const std::vector<Candidate> nodes = candidatesAhead(world, reservation);
    const absl::StatusOr<Plan> plan = place(request, nodes);
    if (plan.ok()) {
        for (const Place& chosen : plan->places) reservation.nodes.insert(chosen.node);
        return reservation;
    }
    for (const Candidate& node : nodes) {
        const auto& named = request.nodes;
        const bool wanted = named.empty() || std::find(named.begin(), named.end(), node.name) != named.end();
        const bool full = uint64_t{node.reserved_millis} + reservation.cpu_millis > node.cpu_millis;
        if (!wanted || node.home_agent || !full) continue;
        const std::string conflict = conflictOn(world, world.snapshot.nodes.at(node.name), reservation);
        return absl::Status(plan.status().code(), messageOf(plan.status()) + "; " + conflict);
    }
    return plan.status();
}

absl::StatusOr<GrantedLease> grantLease(const World& world, const Slice& slice, int64_t wanted_us) {
    if (!slice.reservation.empty()) {
        const auto reservation = world.snapshot.reservations.find(slice.reservation);
        const bool over =
            reservation == world.snapshot.reservations.end() || reservation->second.end_us <= world.now_us;
        if (over) return failedPrecondition("reservation '" + slice.reservation + "' has ended");
        if (wanted_us <= reservation->second.end_us) return GrantedLease{wanted_us, ""};
        return GrantedLease{reservation->second.end_us, "reservation '" + slice.reservation + "' ends then"};
    }
    GrantedLease granted{wanted_us, ""};
    if (slice.base.resources.cpu_reservation_millis == 0) return granted;
    std::set<std::string> nodes;
    for (const Sliver* sliver : sliversOf(world.snapshot, slice.name)) nodes.insert(sliver->node);
    for (const std::string& name : nodes) {
        const auto node = world.snapshot.nodes.find(name);
        if (node == world.snapshot.nodes.end()) continue;
        const uint64_t own = guaranteeOn(world, slice, name);
        for (const auto& [reserved_name, reservation] : world.snapshot.reservations) {
            const int64_t at_us = std::max(reservation.start_us, world.now_us);
            if (!reservation.nodes.contains(name) || !overlaps(reservation, world.now_us, granted.end_us)) continue;
            const uint64_t others = guaranteedAt(world, name, at_us, slice.name).millis;
            const uint64_t held = heldAhead(world.snapshot, name, at_us, at_us + 1).millis;
            if (own + others + held <= uint64_t{node->second.cpus} * 1000) continue;
            granted = {at_us, fmt::format("reservation '{}' has {}m of node '{}' from then", reserved_name,
                                          reservation.cpu_millis, name)};
        }
    }
    if (granted.end_us > world.now_us) return granted;
    return failedPrecondition("slice '" + slice.name + "' cannot have its guarantee: " + granted.note);
}

std::vector<std::string> slicesOn(const Snapshot& snapshot, const std::string& reservation) {
    std::vector<std::string> names;
    for (const auto& [name, slice] : snapshot.slices) {
        if (!reservation.empty() && slice.reservation == reservation) names.push_back(name);
    }
    return names;
}

}  // namespace homeslice::controller
