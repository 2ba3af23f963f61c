// How a node's CPU time is shared among its slivers, as weights of their control groups.
//
// With C the node's capacity, r the reservations and w the weights, a sliver is to get at least
//     r_i + (C - sum r) * w_i / sum w
// when all of them are busy; what one leaves is the others' in the same proportion. Control groups know weights alone,
// and those are in that proportion when
//     weight_i = w_i + r_i * (sum w) / (C - sum r).
// So a sliver without a reservation keeps the weight that it was given, whatever others reserve, and only those with
// one change when another sliver comes or goes.
//
// Weights above 10000, the most that the kernel takes, are brought down together, with 1 as the least. Reservations of
// more than 99% of the capacity cannot all be kept: then each gets its part of those 99%.
// A plain value: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace homeslice::isolation {

struct CpuShare {
    uint32_t reservation_millis = 0;  // thousandths of a CPU
    uint32_t weight = 0;              // 1 to 10000; 0: 100

    bool operator==(const CpuShare&) const = default;
};

class CpuShares {
public:
    // `capacity_millis`: of all CPUs that the slivers have together; at least 1.
    explicit CpuShares(uint32_t capacity_millis);

    // The group's weight from now on, to be written by the caller. Others' may change with it, see takeChanges().
    uint32_t set(const std::string& group, const CpuShare& share);
    void remove(const std::string& group);

    bool hasReservations() const { return reserved_millis_ > 0; }
    // Whether takeChanges() may have something to say. While nobody has a reservation it has not.
    bool mayHaveChanged() const { return stale_; }

    struct Change {
        std::string group;
        uint32_t weight = 0;

        bool operator==(const Change&) const = default;
    };
    // The weights that are others than set() or takeChanges() told last. Looks at every group.
    std::vector<Change> takeChanges();

private:
    struct Group {
        CpuShare share;
        uint32_t told = 0;
    };
    void add(const CpuShare& share, int64_t sign);
    double exactWeight(const CpuShare& share) const;
    double scale() const;
    uint32_t weightOf(const CpuShare& share, double scale) const;

    const double capacity_millis_;
    std::map<std::string, Group> groups_;
    uint64_t reserved_millis_ = 0;
    uint64_t weights_ = 0;
    bool stale_ = false;
};

}  // namespace homeslice::isolation
