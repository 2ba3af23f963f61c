// What a node has left to guarantee, now and ahead: reservations. Pure. docs/design/capacity.md
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "controller/core/views.h"
#include "controller/store/store.h"

namespace homeslice::controller {

// `nodes` (of candidates()) as they are for slivers of `slice`, which keep their guarantee until its lease ends: of a
// slice that is on a reservation, that reservation's nodes and share; else what reservations until then leave.
std::vector<Candidate> candidatesFor(const World& world, std::vector<Candidate> nodes, const Slice& slice);

// `nodes` with one more sliver of `slice` on the node `name`.
void countIn(std::vector<Candidate>& nodes, const std::string& name, const Slice& slice);

// `reservation` with nodes chosen, as many as `request` says, that have its capacity free for all its time.
// FAILED_PRECONDITION and RESOURCE_EXHAUSTED name the slices and reservations that are in the way.
absl::StatusOr<Reservation> planReservation(const World& world, Reservation reservation,
                                            const PlacementRequest& request);

// When a lease of `slice` that is to end at `wanted_us` has to end for reservations' sake, and why when that is
// earlier. FAILED_PRECONDITION when it cannot even begin anew.
struct GrantedLease {
    int64_t end_us = 0;
    std::string note;
};
absl::StatusOr<GrantedLease> grantLease(const World& world, const Slice& slice, int64_t wanted_us);

// The names of the slices that are on the reservation.
std::vector<std::string> slicesOn(const Snapshot& snapshot, const std::string& reservation);

}  // namespace homeslice::controller
